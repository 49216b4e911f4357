# The sandbox: what the live container's settings are, and what code in a
# session can do (python/tests/sandbox_check.py, sent into a session).

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = hxpy_cluster('sandbox');
my $psql = hxpy_psql($node);

# ---- settings of a live container

$psql->query(q{SELECT py_open('s', memory => '512MB', cpus => 0.75), py_open('t')});
my ($inspect) = @{ decode_json(docker_ok('inspect', containers($node, 's'))) };
my ($other) = @{ decode_json(docker_ok('inspect', containers($node, 't'))) };
my $host = $inspect->{HostConfig};
my $config = $inspect->{Config};
my ($image) = @{ decode_json(docker_ok('image', 'inspect', hxpy_image())) };

# Compare a field of the container; nothing asked for may be null, false, 0 or empty.
sub field
{
	my ($name, $value, $expected) = @_;
	my $json = JSON::PP->new->canonical->allow_nonref;
	my $empty = !defined $value || (ref $value eq 'ARRAY' && !@$value) || (ref $value eq 'HASH' && !%$value) || (!ref $value && $value eq '')
	  || (JSON::PP::is_bool($value) && !$value);
	return ok($empty, "$name is not set") || diag $json->encode($value) if !defined $expected;
	is($json->encode($value), $json->encode($expected), $name);
}

my $mb = 1024 * 1024;
my $true = JSON::PP::true;
is($inspect->{Image}, $image->{Id}, 'the image by its digest');
like($config->{User}, qr/^(\d+):\1$/, 'User');
my ($uid) = $config->{User} =~ /^(\d+)/;
ok($uid >= 200000 && $uid < 265536, "in hxpy's range: $uid");
isnt($config->{User}, $other->{Config}{User}, 'each session has a user of its own');
field('Entrypoint', $config->{Entrypoint}, [qw(/usr/bin/python3 -I -m hxpy)]);
field('Hostname', $config->{Hostname}, 'hxpy');
field('WorkingDir', $config->{WorkingDir}, '/tmp');
field('NetworkDisabled', $config->{NetworkDisabled}, $true);
unlike(join(' ', @{ $config->{Env} }), qr/key|secret|token|password/i, 'no secret in Env');
field('NetworkMode', $host->{NetworkMode}, 'none');
field('CapDrop', $host->{CapDrop}, ['ALL']);
field('CapAdd', $host->{CapAdd}, undef);
field('Privileged', $host->{Privileged}, undef);
is($host->{SecurityOpt}[0], 'no-new-privileges', 'no-new-privileges');
is(scalar @{ $host->{SecurityOpt} }, 2, 'and one more security option');
my ($profile) = $host->{SecurityOpt}[1] =~ /^seccomp=(\{.*)$/s;
ok($profile, 'a seccomp profile, inline');
my $seccomp = decode_json($profile // '{}');
is($seccomp->{defaultAction}, 'SCMP_ACT_ERRNO', 'which refuses what it does not name');
is(JSON::PP->new->canonical->encode($seccomp), JSON::PP->new->canonical->encode(decode_json(slurp_file("$ENV{HXPY_TOP}/docker/seccomp.json"))),
	'that of docker/seccomp.json');
my %allowed = map { $_ => 1 } map { @{ $_->{names} } } grep { $_->{action} eq 'SCMP_ACT_ALLOW' && !@{ $_->{args} // [] } } @{ $seccomp->{syscalls} };
ok(!$allowed{$_}, "seccomp does not allow $_")
  for qw(io_uring_setup ptrace process_vm_readv keyctl add_key userfaultfd bpf perf_event_open mount unshare setns name_to_handle_at socket socketcall kexec_load);
field('ReadonlyRootfs', $host->{ReadonlyRootfs}, $true);
field('ShmSize', $host->{ShmSize}, 64 * $mb);
field('Tmpfs', $host->{Tmpfs}, { '/tmp' => 'rw,noexec,nosuid,nodev,size=64m,nr_inodes=16384,mode=1777' });
field('PidsLimit', $host->{PidsLimit}, 64);
field('Memory', $host->{Memory}, 512 * $mb);
field('MemorySwap', $host->{MemorySwap}, 512 * $mb);
field('NanoCpus', $host->{NanoCpus}, 750000000);
field('OomScoreAdj', $host->{OomScoreAdj}, 500);
my %ulimit = map { $_->{Name} => [ $_->{Soft}, $_->{Hard} ] } @{ $host->{Ulimits} };
field("Ulimits: $_->[0]", $ulimit{ $_->[0] }, [ $_->[1], $_->[1] ])
  for [ nofile => 256 ], [ core => 0 ], [ fsize => 64 * $mb ], [ memlock => 65536 ], [ msgqueue => 0 ];
field('IpcMode', $host->{IpcMode}, 'private');
field('CgroupnsMode', $host->{CgroupnsMode}, 'private');
field('RestartPolicy', $host->{RestartPolicy}{Name}, 'no');
field('LogConfig', $host->{LogConfig}, { Type => 'json-file', Config => { 'max-size' => '256k', 'max-file' => '1' } });
field($_, $host->{$_}, undef)
  for qw(PidMode UTSMode UsernsMode Binds Devices DeviceRequests VolumesFrom ExtraHosts PublishAllPorts PortBindings Links Init GroupAdd Sysctls);
is(scalar @{ $inspect->{Mounts} }, 1, 'one mount');
my $mount = $inspect->{Mounts}[0];
is("$mount->{Type} $mount->{Destination} $mount->{Propagation}", 'bind /run/hxpy rprivate', 'of the directory of its socket');
ok(!$mount->{RW}, 'read-only');
is($mount->{Source}, $node->data_dir . "/pgsql_tmp_hxpy/$uid", 'which is named like its user');
my @stat = stat($node->data_dir . '/pgsql_tmp_hxpy');
is(sprintf('%o', $stat[2] & 07777), '700', 'only the server enters the directory above');
is(join(' ', glob "$mount->{Source}/*"), '', 'the socket is gone once it is connected');
my %label = %{ $config->{Labels} };
is($label{'hxpy.cluster'}, $node->safe_psql('postgres', 'SELECT system_identifier FROM pg_control_system()'), 'label: cluster');
is($label{'hxpy.database'}, 'postgres', 'label: database');
is($label{'hxpy.backend'}, $psql->pid, 'label: backend');
my ($start) = slurp_file('/proc/' . $psql->pid . '/stat') =~ /\) (?:\S+ ){19}(\d+)/;
is($label{'hxpy.backend_start'}, $start, 'label: when the backend started');
is($label{'hxpy.session'}, 's', 'label: session');
my $networks = $inspect->{NetworkSettings}{Networks} // {};
like(join(',', keys %$networks), qr/^(?:none)?$/, 'no network');
$psql->query('SELECT py_close_all()');

# ---- what code in a session can and cannot do

my $file = "$ENV{HXPY_TOP}/python/tests/sandbox_check.py";
SKIP:
{
	skip 'no python/tests/sandbox_check.py', 3 if !-e $file;
	my $code = slurp_file($file);
	my $tag = '$sandbox_check$';

	die 'a dollar quote in sandbox_check.py' if index($code, $tag) >= 0;
	$psql->query("SELECT py_timeout(py_open('attack'), '2 min')");
	my $result = $psql->query("SELECT py_exec('attack', ${tag}import types, sys\nmodule = types.ModuleType('sandbox_check')\n"
		  . "sys.modules['sandbox_check'] = module\n${tag}), py_define('attack', 'code', $tag$code$tag)");
	is($result->{state}, '00000', 'the checks are sent') or diag $result->{err};
	$result = $psql->query(q{SELECT py_exec('attack', $$exec(compile(code, 'sandbox_check.py', 'exec'), module.__dict__)$$);
		SELECT name, expected FROM jsonb_to_recordset(py_eval('attack',
			'[{"name": name, "expected": expected} for name, expected in module.run()]')) AS r(name text, expected boolean)}, 150);
	is($result->{state}, '00000', 'the checks ran') or diag $result->{err};
	my ($count, $messages) = (0, $result->{err});
	for my $line (split /\n/, $result->{out})
	{
		next unless $line =~ /^(.*)\|([tf])$/;
		is($2, 't', "in a session: $1") or diag $messages;
		$count++;
	}
	ok($count > 50, "$count checks");
	gives($psql, q{SELECT py_eval('attack', '6 * 7')}, '42', 'the session lives on');
	note "it took " . ms($result->{seconds}) . ' ms';
}

hxpy_finish();
