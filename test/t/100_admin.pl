# The Docker side for administrators: images, containers, the engine, pulls from a
# registry, py_run with its list of keys and its binds; who may what, and that nothing
# is left.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $dir = PostgreSQL::Test::Utils::tempdir_short();
mkdir "$dir/io", 0700 or die "mkdir: $!";
my $node = hxpy_cluster('admin', "hxpy.io_directory = '$dir/io'");
my $psql = hxpy_psql($node);
my $image = hxpy_image();
my $me = $psql->query('SELECT current_user')->{out};
my ($real) = docker_ok('context', 'inspect', '--format', '{{.Endpoints.docker.Host}}') =~ m{^unix://(.*)};
$real ||= '/var/run/docker.sock';
my $sleep = '"Entrypoint": ["/bin/sleep", "600"], "StopSignal": "KILL"';

# Return a container or image as the engine describes it.
# Run a container; returns its id.
sub run
{
	my ($config, $by) = @_;
	my $result = ($by // $psql)->query("SELECT py_run('$image', \$\$$config\$\$)");
	is($result->{state}, '00000', "py_run $config") or diag $result->{err};
	return $result->{out};
}

# Change the io directory.
sub set_io_directory
{
	my ($value) = @_;
	$node->append_conf('postgresql.conf', "hxpy.io_directory = '$value'");
	$node->reload;
	wait_until(sub { $psql->query('SHOW hxpy.io_directory')->{out} eq $value }, 10) or die 'io_directory is not taken';
}

# Make an image of a few bytes, which is removed at the end.
sub tiny_image
{
	my ($name, @options) = @_;
	mkdir "$dir/tiny";
	append_to_file("$dir/tiny/data", rand() . "\n");
	system('tar', '-C', "$dir/tiny", '-cf', "$dir/tiny.tar", 'data') == 0 or die 'tar';
	docker_ok('import', @options, "$dir/tiny.tar", our_image($name));
	return inspect($name)->{Id};
}

# Count the open connections to a port of the loopback, as their clients see it.
sub connections_to
{
	my ($port) = @_;
	return scalar grep { /^\s*\d+: \S+ 0100007F:@{[sprintf '%04X', $port]} 01 / } split /\n/, slurp_file('/proc/net/tcp');
}

# ---- images

my $tiny = tiny_image("hxpytest:admin-$$");
gives($psql, "SELECT id, allowed, version, size FROM py_images() WHERE image = '$image'",
	join('|', inspect($image)->{Id}, 't', $image =~ /:(.*)/, inspect($image)->{Size}), 'py_images: an image of ours');
gives($psql, "SELECT id, allowed, version, created = '" . inspect("hxpytest:admin-$$")->{Created} . "'::timestamptz(0)
	OR abs(extract(epoch FROM created - '" . inspect("hxpytest:admin-$$")->{Created} . "')) < 2
	FROM py_images() WHERE image = 'hxpytest:admin-$$'", "$tiny|f||t", '... and another');
gives($psql, q{SELECT array_agg(image) = array_agg(image ORDER BY image COLLATE "C") FROM py_images()}, 't', '... sorted');
ok(wait_until(sub { $psql->query('SELECT image FROM py_images()')->{out} eq
	join("\n", sort grep { !/<none>/ } split /\n/, docker_ok('images', '--format', '{{.Repository}}:{{.Tag}}')) }, 5), '... all tags, and nothing untagged');
gives($psql, "SET hxpy.allowed_images = 'hxpytest:*'; SELECT allowed, image ~ '^hxpytest' FROM py_images() GROUP BY 1, 2 ORDER BY 1",
	"f|f\nt|t", '... allowed as hxpy.allowed_images says');
$psql->query('RESET hxpy.allowed_images');

gives($psql, "SELECT labels ->> 'hxpy.version' = version, command, engine ->> 'Id' = id, engine -> 'Config' -> 'Labels' = labels
	FROM py_images() WHERE image = '$image'", join('|', 't', join(' ', map { @{ $_ // [] } } @{ inspect($image)->{Config} }{qw(Entrypoint Cmd)}), 't', 't'),
	'... labels, command, JSON of the engine');
gives($psql, "SELECT coalesce(labels, '{}'), command, jsonb_typeof(engine) FROM py_images() WHERE image = 'hxpytest:admin-$$'",
	'{}||object', '... of an image without');

# ---- containers

my $foreign = docker_ok('create', '--name', "hxpytest-$$", '--network', 'none', '--entrypoint', '/bin/sleep', $image, '600');
my $other = docker_ok('create', '--label', 'hxpy.cluster=1', '--label', 'hxpy.role=else', '--network', 'none', '--entrypoint', '/bin/sleep', $image, '600');
END { docker('rm', '-f', grep { defined } $foreign, $other) if defined $foreign; }
$psql->query(q{SELECT py_open('café')});
my ($session) = containers($node);
my $run = run(qq({$sleep, "name": "hxpytest-run-$$", "Labels": {"mine": "yes"}}));
like($run, qr/^[0-9a-f]{64}$/, 'py_run returns the id');
gives($psql, 'SELECT container, image, state, kind, database, pid, role, session FROM py_containers() ORDER BY kind DESC',
	join("\n", join('|', substr($session, 0, 12), $image, 'running', 'session', 'postgres', $psql->pid, $me, 'café'),
		join('|', substr($run, 0, 12), $image, 'running', 'run', 'postgres', '', $me, '')), 'py_containers: those of the cluster');
gives($psql, "SELECT name, status ~ '^Up', now() - created < interval '1 min' FROM py_containers() WHERE kind = 'run'", "hxpytest-run-$$|t|t", '... with name, status, time');
gives($psql, "SELECT container, state, num_nonnulls(kind, database, pid, role, session) FROM py_containers(true) WHERE left('$foreign', 12) = container OR left('$other', 12) = container ORDER BY container",
	join("\n", sort map { substr($_, 0, 12) . '|created|0' } $foreign, $other), '... with those of others, when asked');
gives($psql, 'SELECT count(*) FROM py_containers(NULL)', '2', '... NULL does not ask');
gives($psql, q{SELECT labels ->> 'mine', labels ->> 'hxpy.run', command ~ 'sleep', engine -> 'Labels' = labels, engine ->> 'Id' ~ ('^' || container)
	FROM py_containers() WHERE kind = 'run'}, 'yes|1|t|t|t', '... labels, command, JSON of the engine');
gives($psql, q{SELECT labels ->> 'hxpy.session' FROM py_containers() WHERE kind = 'session'}, 'café', '... in the encoding of the database');
gives($psql, "SELECT command, labels ->> 'hxpy.role' FROM py_containers(true) WHERE left('$other', 12) = container", '/bin/sleep 600|else', '... of others, too');

# ---- the engine

my ($version, $info) = map { decode_json(docker_ok($_, '--format', '{{json .}}')) } qw(version info);
gives($psql, 'SELECT address, version, os, kernel, architecture, cgroup_version, default_runtime, live_restore, cardinality(warnings) FROM py_engine()',
	join('|', "unix://$real", $version->{Server}{Version}, @$info{qw(OperatingSystem KernelVersion Architecture CgroupVersion DefaultRuntime)},
		$info->{LiveRestoreEnabled} ? 't' : 'f', scalar @{ $info->{Warnings} // [] }), 'py_engine');
gives($psql, 'SELECT security_options, ARRAY(SELECT r FROM unnest(runtimes) r ORDER BY r COLLATE "C") FROM py_engine()',
	$psql->query("SELECT ARRAY(SELECT jsonb_array_elements_text('" . encode_json($info->{SecurityOptions}) . "')), ARRAY(SELECT k FROM jsonb_object_keys('" . encode_json($info->{Runtimes}) . "') k ORDER BY k COLLATE \"C\")")->{out},
	'... with security options and runtimes');
like($psql->query('SELECT api_version FROM py_engine()')->{out}, qr/^1\.4\d$/, '... with the API version agreed on');

# ---- who may what

my @all = ("py_pull('nosuch')", "py_remove_container('$run')", "py_run('$image')", "py_container_logs('$run')", 'py_images()', 'py_containers()', 'py_engine()');
my $alice = hxpy_psql($node, user => 'alice');
my $nobody = hxpy_psql($node, user => 'nobody');
fails($nobody, "SELECT $_", '42501', qr/permission denied for function/, "nobody: $_") for @all;
fails($alice, "SELECT $_", '42501', qr/must be superuser to .*HINT:.*SECURITY DEFINER/s, "granted, but no superuser: $_") for @all[ 0 .. 3 ];
gives($alice, 'SELECT count(*) > 0 FROM py_images()', 't', 'granted: py_images');
fails($alice, "SELECT $_", '42501', qr/permission denied to see .*HINT:.*pg_monitor/s, "granted, but no pg_monitor: $_") for @all[ 5, 6 ];
$psql->query('GRANT pg_monitor TO alice');
gives($alice, 'SELECT count(*) FROM py_containers()', '2', 'granted: py_containers');
gives($alice, 'SELECT count(*), count(address) FROM py_engine()', '1|1', 'granted: py_engine, with the address: pg_monitor reads settings');
$psql->query('REVOKE pg_monitor FROM alice');
ok(defined eval { inspect($run) }, 'the container is still there');

# ---- output

my $talks = run(q({"Entrypoint": ["/bin/sh", "-c", "for i in 1 2 3; do echo line $i; done; echo é; exec sleep 600"]}));
ok(wait_until(sub { $psql->query("SELECT py_container_logs('$talks')")->{out} =~ /é/ }, 10), 'py_container_logs');
gives($psql, "SELECT py_container_logs('" . substr($talks, 0, 12) . "', 2)", "line 3\né\n", '... the last lines, by the short id');
fails($psql, "SELECT py_container_logs('$foreign')", '42501', qr/not one of this cluster/, '... not of others');
fails($psql, "SELECT py_container_logs('hxpytest-none')", '42704', qr/no container/, '... not of none');
fails($psql, "SELECT py_container_logs('$talks', $_)", '22023', qr/lines must be/, "... not $_ lines") for 0, 1000000;

# ---- removing

gives($psql, "SELECT py_remove_container('$talks')", 't', 'py_remove_container, by id');
gives($psql, "SELECT py_remove_container('$talks')", 'f', '... once');
gives($psql, "SELECT py_remove_container('hxpytest-none')", 'f', '... of what is not there');
for my $case ([$foreign, 'no label'], ["hxpytest-$$", 'no label, by name'], [$other, 'of another cluster'])
{
	fails($psql, "SELECT py_remove_container('$case->[0]')", '42501', qr/not one of this cluster.*HINT/s, "... refused: $case->[1]");
}
fails($psql, "SELECT py_remove_container(left('$run', 11))", '22023', qr/does not name a container.*12 digits/s, '... refused: 11 digits');
fails($psql, "SELECT py_remove_container('$_')", '42602', qr/invalid container name/, "... refused: '$_'") for '', '../x', 'a/json', 'x?force=1';
fails($psql, 'SELECT py_remove_container(NULL)', '22004', qr/id must not be null/, '... refused: NULL');
is(scalar(split /\n/, docker_ok('ps', '-aq', '--no-trunc', map { ('--filter', "id=$_") } $foreign, $other, $run)), 3, 'none of them was removed');
gives($psql, "SELECT py_remove_container(left('$session', 12))", 't', '... a container in use');
fails($psql, q{SELECT py_eval('café', '1')}, '08006', qr/session "café" was lost/, '... whose session is lost then');
$psql->query('SELECT py_close_all()');

# ---- py_run: what a container is like

$psql->query('SET ROLE NONE; BEGIN');
my $made = inspect(run(qq({$sleep, "User": "1000:1000", "Env": ["A=b c"], "WorkingDir": "/usr", "Hostname": "h", "Labels": {"mine": "yes"},
	"ExposedPorts": {"80/tcp": {}}, "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}, "Memory": 67108864,
	"PidsLimit": 20, "NanoCpus": 500000000, "ReadonlyRootfs": true, "Tmpfs": {"/scratch": "size=1m"}, "CapDrop": ["NET_RAW"], "Init": true, "NetworkMode": "bridge"}})));
$psql->query('ROLLBACK');
my $host = $made->{HostConfig};
is($made->{State}{Status}, 'running', 'it runs, after ROLLBACK, too');
is(join('|', @{ $made->{Config} }{qw(User WorkingDir Hostname)}, (grep { /^A=/ } @{ $made->{Config}{Env} })[0]), '1000:1000|/usr|h|A=b c', 'as asked');
is_deeply([ @$host{qw(Memory MemorySwap PidsLimit NanoCpus)} ], [ 67108864, 67108864, 20, 500000000 ], 'limits as asked');
is(($made->{NetworkSettings}{Ports}{'80/tcp'} // [])->[0]{HostIp}, '127.0.0.1', 'a port is published');
my %label = %{ $made->{Config}{Labels} };
is_deeply([ map { $label{$_} } qw(hxpy.run hxpy.database hxpy.role hxpy.backend mine) ], [ 1, 'postgres', $me, undef, 'yes' ], 'labels');
is_deeply($host->{SecurityOpt}, ['no-new-privileges'], 'no-new-privileges');
is_deeply([ map { $host->{$_} || '' } qw(Privileged PidMode UTSMode UsernsMode CgroupParent) ], [ ('') x 5 ], 'nothing of the host');
is("$host->{IpcMode} $host->{CgroupnsMode} $host->{RestartPolicy}{Name} $host->{OomScoreAdj}", 'private private no 500', 'what is forced');
is_deeply($host->{LogConfig}, { Type => 'json-file', Config => { 'max-size' => '10m', 'max-file' => 2 } }, 'a log with a limit');
gives($psql, "SELECT py_remove_container('$made->{Id}')", 't', 'py_remove_container');
$made = inspect(run(qq({$sleep})));
is_deeply([ @{ $made->{HostConfig} }{qw(Memory MemorySwap PidsLimit NanoCpus)} ], [ 1 << 30, 1 << 30, 512, 1000000000 ], 'limits by default');
like($made->{Name}, qr{^/hxpy-\d+-\d+-\d+$}, 'a name by default');
gives($psql, "SELECT py_remove_container('$made->{Id}')", 't', 'py_remove_container');

# ---- py_run: what is refused

my $before = join(' ', containers($node));
sub refuses
{
	my ($config, $state, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	fails($psql, "SELECT py_run('$image', \$\$$config\$\$)", $state, $pattern, 'refused: ' . ($name // $config));
}
refuses(qq({$sleep, "HostConfig": {$_}}), '22023', qr/config key "HostConfig\.\w+ ?" is not allowed.*DETAIL:.*HINT:/s, $_)
  for '"Privileged": true', '"privileged": true', '"CapAdd": ["SYS_ADMIN"]', '"PidMode": "host"', '"IpcMode": "host"', '"UTSMode": "host"', '"UsernsMode": "host"',
  '"CgroupnsMode": "host"', '"Cgroup": "x"', '"CgroupParent": "/"', '"Devices": [{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda", "CgroupPermissions": "rwm"}]',
  '"DeviceRequests": []', '"DeviceCgroupRules": ["a *:* rwm"]', '"SecurityOpt": ["seccomp=unconfined"]', '"Mounts": [{"Type": "bind", "Source": "/etc", "Target": "/x"}]',
  '"VolumesFrom": ["x"]', '"VolumeDriver": "x"', '"Runtime": "x"', '"Sysctls": {"kernel.msgmax": "1"}', '"MaskedPaths": []', '"ReadonlyPaths": []', '"OomScoreAdj": -1000',
  '"OomKillDisable": true', '"LogConfig": {"Type": "syslog"}', '"PublishAllPorts": true', '"Ulimits": []', '"RestartPolicy": {"Name": "always"}', '"GroupAdd": ["0"]', '"Links": ["x:y"]',
  '"binds": ["/etc:/x"]', '"Binds ": []', '"MemorySwap": -1', '"StorageOpt": {}';
refuses(qq({$sleep, $_}), '22023', qr/config key "\w+" is not allowed.*DETAIL:.*HINT:/s, $_)
  for '"Image": "x"', '"hostconfig": {"Privileged": true}', '"HOSTCONFIG": {}', '"Volumes": {"/x": {}}', '"NetworkingConfig": {}', '"Tty": true', '"Name": "x"', '"OnBuild": []', '"MacAddress": "x"';
refuses(qq({$sleep, "HostConfig": {"NetworkMode": "$_"}}), '22023', qr/network "\Q$_\E" is not allowed.*HINT/s) for 'host', "container:$run", 'ns:/proc/1/ns/net', '../images', '..', '';
my ($host_network) = docker_ok('network', 'inspect', '--format', '{{.Id}}', 'host');
refuses(qq({$sleep, "HostConfig": {"NetworkMode": "$host_network"}}), '22023', qr/is not allowed/, 'the host network by its id');
my ($bridge) = docker_ok('network', 'inspect', '--format', '{{.Id}}', 'bridge');
refuses(qq({$sleep, "HostConfig": {"NetworkMode": "$_"}}), '42704', qr/no network "\Q$_\E"/) for 'nosuch', 'HOST', $bridge;
refuses(qq({$sleep, "Labels": {"hxpy.run": "2"}}), '22023', qr/label "hxpy.run" is not allowed/);
refuses(qq({$sleep, "Labels": ["x"]}), '22023', qr/"Labels" must be/);
refuses($_, '22023', qr/must be/) for '[]', '"x"', '1', '{"HostConfig": []}', '{"name": 1}', '{"HostConfig": {"NetworkMode": 1}}', '{"HostConfig": {"Memory": "1g"}}', '{"HostConfig": {"Memory": 1.5}}',
  '{"HostConfig": {"Binds": "x"}}', '{"HostConfig": {"Binds": [1]}}';
refuses('{"HostConfig": {"Memory": 1e999}}', '22023', qr/cannot be read/);
refuses(qq({"Env": ["@{['x' x 1100000]}"]}), '54000', qr/larger than/, 'a large config');
refuses(qq({$sleep, "name": "-"}), '42602', qr/invalid container name/);
refuses(qq({$sleep, "name": "hxpytest-run-$$"}), '55006', qr/could not name a container.*already in use/s, 'a name that is taken');
refuses('{"Entrypoint": ["/nosuch"]}', '22023', qr/could not start container.*no such file/s, 'no such program');
refuses(qq({$sleep, "HostConfig": {"Memory": 1}}), '22023', qr/could not create container.*[Mm]inimum memory/s, 'too little memory');
fails($psql, q{SELECT py_run('nosuch:1')}, '42704', qr/no image "nosuch:1".*HINT:.*py_pull/s, 'refused: no such image');
fails($psql, q{SELECT py_run(NULL)}, '22004', qr/image must not be null/, 'refused: no image');
fails($psql, "SELECT py_run('$image', NULL)", '22004', qr/config must not be null/, 'refused: no config');
is(join(' ', containers($node)), $before, 'nothing is left of them');

# ---- py_run: binds

my $id = run(qq({$sleep, "HostConfig": {"Binds": [".:/all"]}}));
my $base = inspect($id)->{HostConfig}{Mounts}[0]{Source};
like($base, qr{^\Q$dir/io\E/.}, 'the directory of the database');
$psql->query("SELECT py_remove_container('$id')");
mkdir "$base/sub" or die "mkdir: $!";
mkdir "$base/sub/deep" or die "mkdir: $!";
append_to_file("$base/sub/deep/file", "content\n");
symlink '/etc', "$base/etc";
symlink 'deep', "$base/sub/link";
mkdir "$base/open";
mkdir "$base/open/dir";
chmod 0777, "$base/open";
mkdir "$base/sticky";
mkdir "$base/sticky/dir";
chmod 01777, "$base/sticky";
my $listener = IO::Socket::UNIX->new(Local => "$base/socket", Listen => 1);
$id = run(q({"Entrypoint": ["/bin/sh", "-c", "cat /d/file /f; touch /ro/x; touch /s/made; sleep 600"], "User": "0",
	"HostConfig": {"Binds": ["sub/deep:/d", "sub/deep/file:/f:ro", "sub:/ro:ro", "sticky/dir:/s:rw"]}}));
ok(wait_until(sub { -e "$base/sticky/dir/made" }, 10), 'binds: a writable one');
is($psql->query("SELECT py_container_logs('$id')")->{out} =~ s/^touch.*Read-only.*\n//mr, "content\ncontent\n", '... what is in them');
ok(!-e "$base/sub/x", '... a read-only one');
is_deeply([ map { "$_->{Type} $_->{Propagation} " . ($_->{RW} ? 'rw' : 'ro') } sort { $a->{Destination} cmp $b->{Destination} } @{ inspect($id)->{Mounts} } ],
	[ 'bind rprivate rw', 'bind rprivate ro', 'bind rprivate ro', 'bind rprivate rw' ], '... as mounts');
is(scalar @{ inspect($id)->{HostConfig}{Binds} // [] }, 0, '... never as binds');
$psql->query("SELECT py_remove_container('$id')");
$before = join(' ', containers($node));
refuses(qq({$sleep, "HostConfig": {"Binds": ["$_->[0]"]}}), $_->[1], $_->[2])
  for ['/etc:/x', '22023', qr/must be relative/], ['../x:/x', '22023', qr/must be relative/], ['sub/../../x:/x', '22023', qr/must be relative/], ['sub/..:/x', '22023', qr/must be relative/],
  ['./sub:/x', '22023', qr/must be relative/], ['sub//deep:/x', '22023', qr/must be relative/], [':/x', '22023', qr/must be relative/], ['sub/:/x', '22023', qr/must be relative/],
  ['sub', '22023', qr/no target/], ['sub:x', '22023', qr/absolute path/], ['sub:', '22023', qr/absolute path/], ['sub:/x:z', '22023', qr/"ro" or "rw"/], ['sub:/x:ro:z', '22023', qr/"ro" or "rw"/],
  ['/var/run/docker.sock:/x', '22023', qr/must be relative/], ['etc:/x', '42501', qr/symbolic link.*HINT/s], ['etc/shadow:/x', '42501', qr/symbolic link/], ['sub/link:/x', '42501', qr/symbolic link/],
  ['sub/link/file:/x', '42501', qr/symbolic link/], ['open/dir:/x', '42501', qr/could put another file in its place/], ['socket:/x', '42501', qr/not a directory or plain file/],
  ['sub/deep/file/x:/x', '42501', qr/not a directory/], ['nosuch:/x', '58P01', qr/could not stat.*No such file/], ['sub:/', '22023', qr{could not create container}];
set_io_directory('');
refuses(qq({$sleep, "HostConfig": {"Binds": [".:/x"]}}), '55000', qr/no io directory.*HINT:.*hxpy.io_directory/s, 'no io directory');
set_io_directory("$dir/io");
is(join(' ', containers($node)), $before, 'nothing is left of them');
unlink "$base/socket";

# ---- py_run: engines that lie, and cancels

my $proxies = 0;
sub proxy
{
	my ($rule) = @_;
	my $socket = "$dir/proxy" . ++$proxies;
	start_engine($socket, 'proxy', $socket, $real, $rule);
	return "unix://$socket";
}
for my $rule ('strip:SecurityOpt', 'set:Privileged=true', 'strip:Mounts', 'set:Binds=["/etc:/y"]', 'set:PidMode="host"')
{
	my $backend = hxpy_psql($node, setup => ["SET hxpy.docker_host = '" . proxy($rule) . "'"]);
	fails($backend, qq(SELECT py_run('$image', '{$sleep, "HostConfig": {"Binds": [".:/x"]}}')), '0A000', qr/did not apply the sandbox setting/, "an engine that does not do as asked: $rule");
	$backend->end;
}
for my $case (['/create', 57014, 'INT'], ['/[0-9a-f]+/json', 57014, 'INT'], ['/rename', 57014, 'INT'], ['/start', 57014, 'INT'], ['/create', '57P01', 'TERM'], ['/start', '57P01', 'TERM'])
{
	my ($word, $state, $signal) = @$case;
	my $backend = hxpy_psql($node, setup => ["SET hxpy.docker_host = '" . proxy("late:$word=1") . "'"]);
	$backend->send(qq(SELECT py_run('$image', '{$sleep, "name": "hxpytest-slow-$$"}')));
	sleep 0.7;
	kill $signal, $backend->pid;
	my $result = $backend->wait;
	is($result->{state}, $state, "SIG$signal while $word is late: " . first_error($result));
	$backend->end;
	ok(wait_until(sub { join(' ', containers($node)) eq $before }, 5), '... and nothing is left');
}

# ---- a container outlives its backend, and is nobody's orphan

$psql->end;
ok(defined eval { inspect($run) }, 'a container outlives the backend that started it');
$psql = hxpy_psql($node);
gives($psql, q{SELECT py_eval('6 * 7')}, '42', '... another backend cleans up');
is(inspect($run)->{State}{Status}, 'running', '... and it still runs');
gives($psql, "SELECT py_close(), py_remove_container('hxpytest-run-$$')", 't|t', 'py_remove_container, by name');

# ---- pulls that fail

fails($psql, "SELECT py_pull('$_->[0]')", $_->[1], $_->[2], "py_pull('$_->[0]')")
  for ['127.0.0.1:1/nosuch:1', '58000', qr/could not pull image "127.0.0.1:1\/nosuch:1".*connection refused.*HINT:.*registry/s], ['', '42602', qr/invalid image name/], ['../x', '42602', qr/invalid image name/],
  ['x:', '42602', qr/invalid image name/], ['@x', '42602', qr/invalid image name/], ['No Image', '22023', qr/invalid reference format/], ['x&tag=y', '22023', qr/invalid reference format/];
fails($psql, 'SELECT py_pull(NULL)', '22004', qr/image must not be null/, 'py_pull(NULL)');

mkdir "$dir/fake";
start_engine("$dir/fake/pulllist", 'fake', "$dir/fake");
wait_until(sub { -e "$dir/fake/.ready" && 6 == grep { -S } glob "$dir/fake/pull*" }, 5);
for my $case (['pullcut', '08006', qr/broke off while it pulled/], ['pullerror', '58000', qr/could not pull image "x".*answered: disk \?\[31m/s], ['pullgarbage', '08P01', qr/is no JSON/], ['pulllong', '08P01', qr/is no JSON/],
	['pulllist', '08P01', qr/is no JSON/], ['broken', '58000', qr/could not pull.*boom/s], ['full', '53100', qr/no space left/], ['half', '08006', qr/did|broke|silent/], ['forbidden', '42501', qr/could not pull/])
{
	my ($name, $state, $pattern) = @$case;
	my $backend = hxpy_psql($node, setup => ["SET hxpy.docker_host = 'unix://$dir/fake/$name'"]);
	my $result = fails($backend, q{SELECT py_pull('x')}, $state, $pattern, "py_pull from an engine that is $name");
	like($result->{err}, qr/^HINT: /m, '... with a HINT');
	unlike($result->{err}, qr/\e/, '... and no control characters');
	$backend->end;
}
for my $name (qw(pullhang hanglater))
{
	my $backend = hxpy_psql($node, setup => ["SET hxpy.docker_host = 'unix://$dir/fake/$name'"]);
	my $result = fails($backend, q{SET hxpy.docker_timeout = '400ms'; SELECT py_pull('x')}, '08006', qr/within \d+ ms.*HINT/s, "$name: hxpy.docker_timeout");
	ok($result->{seconds} < patience(2), '... in time, ' . ms($result->{seconds}) . ' ms');
	$backend->query('RESET hxpy.docker_timeout');
	$result = fails($backend, q{SET statement_timeout = '300ms'; SELECT py_pull('x')}, '57014', qr/statement timeout/, "$name: statement_timeout");
	ok($result->{seconds} < patience(1.3), '... in time, ' . ms($result->{seconds}) . ' ms');
	$backend->query('RESET statement_timeout');
	$backend->send(q{SELECT py_pull('x')});
	ok($backend->wait_message(qr/NOTICE: .*image "x": abc: Pulling fs layer/, 10), "$name: a NOTICE tells the progress") if $name eq 'pullhang';
	sleep 0.2 if $name ne 'pullhang';
	my $start = time;
	kill 'INT', $backend->pid;
	$result = fails($backend, $backend->wait, '57014', qr/user request/, "$name: cancel");
	ok($result->{ended} - $start < patience(1), '... took ' . ms($result->{ended} - $start) . ' ms');
	$backend->send(q{SELECT py_pull('x')});
	sleep 0.2;
	$start = time;
	kill 'TERM', $backend->pid;
	$result = $backend->wait;
	is($result->{state}, '57P01', "$name: terminate");
	ok($result->{ended} - $start < patience(1), '... took ' . ms($result->{ended} - $start) . ' ms');
	$backend->end;
}

# ---- a registry that never answers

my $dead = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
$psql->send("SELECT py_pull('127.0.0.1:" . $dead->sockport . "/x')");
ok(scalar IO::Select->new($dead)->can_read(10), 'the engine asks a registry');
my $start = time;
kill 'INT', $psql->pid;
my $result = fails($psql, $psql->wait, '57014', qr/user request/, 'cancel while the registry is silent');
ok($result->{ended} - $start < patience(1), '... took ' . ms($result->{ended} - $start) . ' ms');
close $dead;

# ---- a registry

SKIP:
{
	skip 'no docker-registry (script/bootstrap --test installs it)', 1 if !-x '/usr/bin/docker-registry';
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	append_to_file("$dir/registry.yml", "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
		  . "storage: {filesystem: {rootdirectory: $dir/registry}}\nhttp: {addr: '127.0.0.1:$port'}\n");
	my $registry = start_process(sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") }, '/usr/bin/docker-registry', 'serve', "$dir/registry.yml");
	my $name = "127.0.0.1:$port/hxpytest";
	my %tag;
	for my $tag ('latest', 'two')
	{
		$tag{$tag} = tiny_image("$name:$tag", '--change', 'LABEL hxpy.version=0.9');
		docker_ok('push', "$name:$tag");
	}
	my ($digest) = map { /@(.*)/ } grep { /^\Q$name\E@/ } @{ inspect("$name:two")->{RepoDigests} };
	docker_ok('rmi', "$name:latest", "$name:two");
	gives($psql, "SELECT count(*) FROM py_images() WHERE image ~ '^$name'", '0', 'the images are not there');

	$result = $psql->query("SELECT py_pull('$name:two')");
	is("$result->{state} $result->{out}", "00000 $tag{two}", 'py_pull returns the id');
	like($result->{err}, qr/NOTICE: .*image "\Q$name\E:two": Status: Downloaded newer image/, '... tells the end');
	like($result->{err}, qr/NOTICE: .*sessions may not use image "\Q$name\E:two" yet.*HINT:.*hxpy.allowed_images/s, '... and that sessions may not use it');
	gives($psql, "SELECT image, id, version FROM py_images() WHERE image ~ '^$name'", "$name:two|$tag{two}|0.9", '... this tag, and no other');
	$result = $psql->query("SET hxpy.allowed_images = '$name:*'; SELECT py_pull('$name:two')");
	like($result->{err}, qr/Image is up to date/, '... what is there already');
	unlike($result->{err}, qr/may not use/, '... and allowed');
	$result = $psql->query("RESET hxpy.allowed_images; SELECT py_pull('$name', quiet => true)");
	is("$result->{out}$result->{err}", $tag{latest}, '... without a tag: latest, quietly');
	docker_ok('rmi', "$name:latest", "$name:two");
	$result = $psql->query("SELECT py_pull('$name\@$digest', quiet => true)");
	is("$result->{out}$result->{err}", $tag{two}, '... by digest');
	our_image("$name\@$digest");
	gives($psql, "SELECT count(*) FROM py_images() WHERE id = '$tag{two}'", '0', '... which has no tag, so py_images leaves it out');
	fails($psql, "SELECT py_pull('$name:none')", '42704', qr/could not pull.*manifest unknown.*HINT/s, '... a tag that is not there');

	# a slow one: what the real engine does when the statement is cancelled
	append_to_file("$dir/tiny/data", join '', map { pack 'L', rand 2**32 } 1 .. 1_000_000);
	tiny_image("$name:big");
	docker_ok('push', "$name:big");
	docker_ok('rmi', "$name:big");
	my $slow_port = PostgreSQL::Test::Cluster::get_free_port();
	my $proxy = start_process(sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$slow_port") }, '/usr/bin/python3',
		"$ENV{HXPY_TOP}/test/t/engine.py", 'proxy', $slow_port, $port, 'drip:0.5');
	our_image("127.0.0.1:$slow_port/hxpytest:big");
	$psql->send("SELECT py_pull('127.0.0.1:$slow_port/hxpytest:big')");
	ok($psql->wait_message(qr/NOTICE: .*Pulling fs layer/, 20), 'a slow registry: a NOTICE tells of the layer');
	ok(connections_to($slow_port) > 0, '... the engine pulls it');
	$start = time;
	kill 'INT', $psql->pid;
	$result = fails($psql, $psql->wait, '57014', qr/user request/, '... cancel');
	ok($result->{ended} - $start < patience(1), '... took ' . ms($result->{ended} - $start) . ' ms');
	ok(wait_until(sub { connections_to($slow_port) == 0 }, 5), '... and the engine gives the pull up');
	gives($psql, "SELECT count(*) FROM py_images() WHERE image LIKE '%hxpytest:big'", '0', '... there is no image');
	stop_process($proxy);
	stop_process($registry);
	fails($psql, "SELECT py_pull('$name:latest')", '58000', qr/connection refused/, '... without the registry');
}

docker('rm', '-f', $foreign, $other);
hxpy_finish();
