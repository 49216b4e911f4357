# The pool: it fills, hands out every container once, follows the settings and the
# images, and survives what dies around it; what the launcher reaps, and what not.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use JSON::PP;
use List::Util qw(max);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $image = hxpy_image();
my $node = hxpy_cluster('pool', q{shared_preload_libraries = 'hxpy'}, 'wal_level = replica', 'max_connections = 100',
	'hxpy.pool_size = 2', q{hxpy.allowed_images = '*'}, 'hxpy.max_memory = 2GB', 'hxpy.max_cpus = 2');
my $cluster = $node->safe_psql('postgres', 'SELECT system_identifier FROM pg_control_system()');

# Tell whether a container's id is in a list.
sub among { my ($id, @ids) = @_; return scalar grep { $_ eq $id } @ids; }

# CPU time of a process in seconds.
sub cpu_time
{
	my @field = split / /, slurp_file("/proc/$_[0]/stat") =~ s/.*\) //r;
	return ($field[11] + $field[12]) / 100;
}

# Open a session and tell of its container: "warm" when it is one of these, else "cold".
sub opened_as
{
	my ($psql, $open, @pool) = @_;
	my $result = $psql->query("SELECT py_open('s'$open)");
	return $result->{err} if $result->{state} ne '00000';
	return among(session_container($psql, 's'), @pool) ? 'warm' : 'cold';
}

# ---- it fills, and obeys the same sandbox

my $took = wait_pool_full($node, 2);
ok(defined $took, 'the pool is full after ' . ms($took // 'never') . ' ms');
my @pool = pool_containers($node);
is(scalar @pool, 2, 'two containers');
my $psql = hxpy_psql($node);
is(opened_as($psql, q{, memory => '512MB'}, @pool), 'cold', 'a session with another limit of memory starts cold');
my $cold = inspect(session_container($psql, 's'));
$psql->query(q{SELECT py_close('s')});
is(opened_as($psql, ', cpus => 0.5', @pool), 'cold', 'with another limit of CPUs, too');
$psql->query(q{SELECT py_close('s')});
is(opened_as($psql, q{, memory => '1GB', cpus => 1}, @pool), 'warm', 'with the defaults by name not');
my $warm = inspect(session_container($psql, 's'));

for my $container ($cold, $warm)
{
	my $host = $container->{HostConfig};
	my $config = $container->{Config};
	my $dir = $node->data_dir . '/pgsql_tmp_hxpy';
	like($host->{Mounts}[0]{Source}, qr{^\Q$dir\E/\d+$}, 'its own directory is mounted');
	my ($uid) = $host->{Mounts}[0]{Source} =~ /(\d+)$/;
	is($config->{User}, "$uid:$uid", 'its user is the directory\'s name');
	$host->{Mounts}[0]{Source} = $config->{User} = 'its own';
	$config->{Env} = [ grep { !/^HXPY_IMPORTS=/ } @{ $config->{Env} } ];
	my $labels = delete $config->{Labels};
	is(join(' ', sort grep { /^hxpy\.(?:cluster|pids|postmaster|backend|backend_start)$/ } keys %$labels),
		'hxpy.backend hxpy.backend_start hxpy.cluster hxpy.pids hxpy.postmaster', 'it has its owner\'s labels');
}
is($cold->{HostConfig}{AutoRemove}, JSON::PP::false, 'with a launcher, the engine does not remove containers itself');
is($cold->{HostConfig}{Memory}, 512 << 20, 'the cold one has what was asked');
$cold->{HostConfig}{$_} *= 2 for qw(Memory MemorySwap);
is_deeply($warm->{HostConfig}, $cold->{HostConfig}, 'a warm and a cold container have the same HostConfig');
is_deeply($warm->{Config}, $cold->{Config}, '... and the same Config');
is($warm->{Image}, $cold->{Image}, '... and image');

# ---- a session takes one; it is never handed out again

gives($psql, q{SELECT py_eval('s', $$[m in __import__('sys').modules for m in ('numpy', 'pandas')]$$)}, '[true, true]', 'its imports are done');
my $taken = session_container($psql, 's');
ok(defined wait_pool_full($node, 2), 'the pool is full again');
ok(!among($taken, pool_containers($node)) || pool_stat($node)->{ready} == 2, 'without the one that is taken');
my $other = hxpy_psql($node, user => 'alice');
is(opened_as($other, '', grep { $_ ne $taken } pool_containers($node)), 'warm', 'another session takes another one');
isnt(session_container($other, 's'), $taken, '... not the same');
$psql->query(q{SELECT py_exec('s', 'x = 1'); SELECT py_close('s')});
ok(wait_until(sub { !inspect($taken) }, 5), 'a container is removed after its session');
is(opened_as($psql, '', grep { $_ ne $taken } pool_containers($node)), 'warm', 'the next session takes a new one');
gives($psql, q{SELECT py_eval('s', $$'x' in globals()$$)}, 'false', '... that holds nothing of the last');
$other->end;
$psql->query(q{SELECT py_close_all()});
ok(wait_until(sub { only_pool($node) }, 10), 'after all sessions only the pool is left, and none that has exited');
my $stat = pool_stat($node);
is("$stat->{taken} $stat->{failed}", '3 0', 'hxpy_stat_pool counts what is taken');

# ---- the launcher stands in nobody's way

is($node->safe_psql('postgres', q{SELECT backend_xmin IS NULL AND backend_xid IS NULL AND datname IS NULL FROM pg_stat_activity WHERE backend_type = 'hxpy launcher'}),
	't', 'the launcher holds back no VACUUM and is in no database');
$psql->query(q{CREATE DATABASE d1});
my $result = $psql->query(q{DROP DATABASE d1});
ok($result->{state} eq '00000' && $result->{seconds} < patience(5), 'CREATE and DROP DATABASE, ' . ms($result->{seconds}) . ' ms') or diag $result->{err};
my $cpu = cpu_time(launcher_pid($node));
sleep 2;
$cpu = cpu_time(launcher_pid($node)) - $cpu;
ok($cpu < 0.3, 'an idle launcher takes little CPU: ' . ms($cpu) . ' ms in 2 s');

# ---- settings by SIGHUP

my $log = log_size($node);
reconfigure($node, 'hxpy.pool_size = 0');
ok(wait_until(sub { !containers($node) }, 10), 'pool_size = 0 empties the pool');
is(scalar socket_dirs($node), 0, '... and its directories');
is(opened_as($psql, ''), 'cold', '... sessions start cold');
ok(inspect(session_container($psql, 's'))->{HostConfig}{AutoRemove} == JSON::PP::false, '... and are reaped by the launcher');
$psql->query(q{SELECT py_close('s')});
ok(wait_until(sub { !containers($node) }, 5), '... at their end');
reconfigure($node, 'hxpy.pool_size = 3', q{hxpy.pool_imports = 'json,nosuchmodule'});
ok(defined wait_pool_full($node, 3), 'pool_size = 3');
like(log_after($node, $log), qr/hxpy launcher: image "\Q$image\E" cannot import all of hxpy.pool_imports: nosuchmodule: ModuleNotFoundError/, 'a module that is not there is logged');
is(opened_as($psql, '', pool_containers($node)), 'warm', '... and does no harm');
gives($psql, q{SELECT py_eval('s', $$[m in __import__('sys').modules for m in ('json', 'pandas')]$$)}, '[true, false]', '... pool_imports is what is imported');
$psql->query(q{SELECT py_close('s')});
reconfigure($node, 'hxpy.pool_size = 1', q{hxpy.pool_imports = ''});
ok(defined wait_pool_full($node, 1), 'pool_size = 1, no imports');

reconfigure($node, 'hxpy.pool_idle = 3s');
ok(wait_until(sub { my $s = pool_stat($node); $s->{wanted} == 0 && !containers($node) }, 20), 'pool_idle empties the pool');
is(opened_as($psql, ''), 'cold', '... the next session starts cold');
reconfigure($node, 'hxpy.pool_idle = 1h');
ok(defined wait_pool_full($node, 1), '... and fills it again');
$psql->query(q{SELECT py_close('s')});

# ---- members that die, or answer no more

@pool = pool_containers($node);
docker_ok('kill', @pool);
ok(wait_until(sub { my @now = pool_containers($node); @now == 1 && $now[0] ne $pool[0] }, 10), 'a container that dies is replaced');
ok(defined wait_pool_full($node, 1), '... by one that is ready');
@pool = pool_containers($node);
docker_ok('rm', '-f', @pool);
ok(wait_until(sub { my @now = pool_containers($node); @now == 1 && $now[0] ne $pool[0] }, 10), 'one that is removed, too');
ok(defined wait_pool_full($node, 1), '... by one that is ready');
@pool = pool_containers($node);
freeze(@pool);
$result = $psql->query(q{SELECT py_eval(py_open('s'), '6 * 7')});
ok($result->{out} eq '42' && $result->{seconds} < patience(6), 'a container that is frozen is given up after ' . ms($result->{seconds}) . ' ms') or diag $result->{err};
ok(wait_until(sub { !inspect($pool[0]) }, 10), '... and removed');
$psql->query(q{SELECT py_close('s')});
ok(defined wait_pool_full($node, 1), '... and replaced');

# A claim that is broken off by cancel or terminate.
for my $case ([ 'INT', '57014' ], [ 'TERM', '57P01' ])
{
	my ($signal, $state) = @$case;
	@pool = pool_containers($node);
	my $victim = hxpy_psql($node);
	freeze(@pool);
	$victim->send(q{SELECT py_open('s')});
	sleep 0.4;
	kill $signal, $victim->pid;
	my $sent = time;
	$result = $victim->wait;
	like($result->{err}, qr/$state/, "SIG$signal during a claim");
	ok($result->{ended} - $sent < patience(1.5), '... ends it after ' . ms($result->{ended} - $sent) . ' ms');
	$victim->end;
	ok(wait_until(sub { !inspect($pool[0]) }, 10), '... its container is removed');
	ok(defined wait_pool_full($node, 1), '... and replaced');
}
reconfigure($node, 'hxpy.pool_size = 2');
my ($broken, $opened) = (0, 0);
for my $n (1 .. hxpy_rounds(30))
{
	my $victim = hxpy_psql($node);
	$victim->send(q{SELECT py_open('s')});
	sleep rand() * 0.06;
	kill $n % 2 ? 'INT' : 'TERM', $victim->pid;
	$victim->wait->{state} eq '00000' ? $opened++ : $broken++;
	$victim->end;
}
ok(wait_until(sub { only_pool($node) && pool_stat($node)->{ready} == 2 }, 20),
	"cancel and terminate at any moment of an open: nothing leaks ($broken broken off, $opened opened)")
  or diag scalar(docker('ps', '-a', '--filter', "label=hxpy.cluster=$cluster")), "\n", $node->safe_psql('postgres', 'TABLE hxpy_stat_pool; TABLE hxpy_stat_sessions'), "\n", join ' ', socket_dirs($node);

# ---- turns

my $sleeps = variant_image('sleeps');
reconfigure($node, 'hxpy.pool_size = 0', 'hxpy.pool_starts = 1');
ok(wait_until(sub { !containers($node) }, 10), 'no pool, one start at once');
my $slow = hxpy_psql($node);
$slow->send("SELECT py_open('s', image => '$sleeps')");
ok(wait_until(sub { containers($node, 's') == 1 }, 10), 'a start that takes long');
fails($psql, q{SET hxpy.open_timeout = '500ms'; SELECT py_open('s')}, '53000', qr/no container could be started within hxpy.open_timeout.*hxpy.pool_starts.*HINT/s,
	'others wait for their turn, no longer than hxpy.open_timeout');
$psql->query('RESET hxpy.open_timeout');
for my $case ([ 'INT', '57014' ], [ 'TERM', '57P01' ])
{
	my ($signal, $state) = @$case;
	my $victim = hxpy_psql($node);
	$victim->send(q{SELECT py_open('s')});
	sleep 0.3;
	my $sent = time;
	kill $signal, $victim->pid;
	$result = $victim->wait;
	like($result->{err}, qr/$state/, "SIG$signal of one that waits for its turn");
	ok($result->{ended} - $sent < patience(1), '... ends it after ' . ms($result->{ended} - $sent) . ' ms');
	$victim->end;
}
my $waits = hxpy_psql($node);
$waits->send(q{SELECT py_eval(py_open('s'), '6 * 7')});
sleep 0.3;
ok(!$waits->is_done, 'one more waits');
kill 'INT', $slow->pid;
is($slow->wait->{state}, '57014', 'when the slow start is broken off');
is($waits->wait->{out}, '42', '... its turn comes');
$_->end for $slow, $waits;
ok(wait_until(sub { !containers($node) }, 10), '... and nothing is left');

# ---- fifty at once

reconfigure($node, 'hxpy.pool_size = 4', 'hxpy.pool_starts = 3');
ok(defined wait_pool_full($node, 4), 'four containers wait');
{
	my $events = PostgreSQL::Test::Utils::tempdir() . '/events';
	my $watcher = fork // die "fork: $!";
	if ($watcher == 0)
	{
		open STDOUT, '>', $events or die $!;
		exec 'docker', 'events', '--filter', "label=hxpy.cluster=$cluster", '--filter', 'type=container',
		  '--filter', 'event=create', '--filter', 'event=start', '--filter', 'event=destroy', '--format', '{{.TimeNano}} {{.Action}} {{.ID}}';
		die "docker events: $!";
	}
	sleep 0.5;
	my @psqls = map { hxpy_psql($node) } 1 .. 50;
	my $start = time;
	$_->send(q{SELECT py_eval(py_open('burst'), '6 * 7')}) for @psqls;
	my @results = map { $_->wait } @psqls;
	note sprintf '50 sessions opened at once: the first after %s, the median after %s, the last after %s ms',
	  map { ms($_) } (sort { $a <=> $b } map { $_->{ended} - $start } @results)[ 0, 25, 49 ];
	is(scalar(grep { $_->{out} eq '42' } @results), 50, '50 sessions at once open') or diag map { $_->{err} } @results;
	my %ids = map { (session_container($_, 'burst') => 1) } @psqls;
	is(scalar keys %ids, 50, '... each has its own container');
	ok(defined wait_pool_full($node, 4), '... the pool is full again');
	kill 'TERM', $watcher;
	waitpid $watcher, 0;

	# What the engine has created and not yet started is on its way.
	my ($under_way, $most, $created) = (0, 0, 0);
	for (sort split /\n/, slurp_file($events))
	{
		my (undef, $what) = split / /;
		next if $what eq 'destroy';
		$created++ if $what eq 'create';
		$under_way += $what eq 'create' ? 1 : -1;
		$most = max($most, $under_way);
	}
	ok($created >= 50 && $most <= 3, "... never more than hxpy.pool_starts were started at once: $most of $created");
	$start = time;
	$_->end for @psqls;
	ok(wait_until(sub { only_pool($node) }, 20), '... 50 containers are gone ' . ms(time - $start) . ' ms after their sessions');
}

# ---- two images; images that come, change and go

my $second = "hxpytest:second-$$";
my $missing = "hxpytest:missing-$$";
tag_image($second);
reconfigure($node, 'hxpy.pool_size = 1', "hxpy.pool_images = '$image, $second'");
ok(defined wait_pool_full($node, 1, $image) && defined wait_pool_full($node, 1, $second), 'two images: one container of each');
my %by_image = map { (inspect($_)->{Id} => 1) } pool_containers($node);
is(scalar keys %by_image, 2, '... two containers');
is(opened_as($psql, ", image => '$second'", pool_containers($node)), 'warm', 'a session with the second image');
is($psql->query('SELECT image FROM py_sessions()')->{out}, $second, '... by its name');
is($psql->query(q{SELECT py_open('s2', image => 'nosuch:0,} . $second . q{')})->{state}, '00000', 'a preference list whose first is not there');
$psql->query('SELECT py_close_all()');
is(pool_stat($node, $second)->{taken}, 1, 'hxpy_stat_pool counts by image');

ok(defined wait_pool_full($node, 1, $second), 'full again');
my %old = map { $_ => 1 } pool_containers($node);
my $old_id = pool_stat($node, $second)->{image_id};
label_image($second, 1);
my ($count, @errors) = (0);
my $end = time + 20;
until (pool_stat($node, $second)->{image_id} ne $old_id && defined wait_pool_full($node, 1, $second, 0) || time > $end)
{
	$result = $psql->query("SELECT py_eval(py_open('s', image => '$second'), '6 * 7'), py_close('s')");
	push @errors, $result->{err} if $result->{out} ne '42|t';
	$count++;
}
is("@errors", '', "an image is built anew while sessions open: all $count opened");
my ($renewed) = grep { inspect($_)->{Image} eq pool_stat($node, $second)->{image_id} } pool_containers($node);
ok($renewed && !$old{$renewed}, '... the pool has one of the new image');
is(opened_as($psql, ", image => '$second'", $renewed // ()), 'warm', '... and a session gets it');
$psql->query(q{SELECT py_close('s')});

$log = log_size($node);
reconfigure($node, "hxpy.pool_images = '$missing'");
ok(wait_until(sub { my $s = pool_stat($node, $missing); $s && ($s->{error} // '') =~ /has no image/ }, 10), 'an image that is not there');
ok(wait_until(sub { !containers($node) }, 10), '... the others\' containers are gone');
$cpu = cpu_time(launcher_pid($node));
sleep 7;
$cpu = cpu_time(launcher_pid($node)) - $cpu;
ok($cpu < 1, '... costs little CPU: ' . ms($cpu) . ' ms in 7 s');
my @lines = log_after($node, $log) =~ /^.*hxpy launcher: .*$/mg;
is(scalar(grep { /has no image "\Q$missing\E"/ } @lines), 1, '... is logged once') or diag "@lines";
like(log_after($node, $log), qr/HINT:.*docker pull \Q$missing\E/, '... with a hint');
tag_image($missing);
ok(defined wait_pool_full($node, 1, $missing), '... and is used when it appears');
my $bad = 'Not/An..Image:x:y';
reconfigure($node, "hxpy.pool_images = '$bad, $image'");
ok(defined wait_pool_full($node, 1), 'a name that is no image\'s does not hold up the others');
ok(pool_stat($node, $bad)->{error}, '... hxpy_stat_pool shows its error: ' . (pool_stat($node, $bad)->{error} // ''));
my $dies = variant_image('dies');
$log = log_size($node);
reconfigure($node, "hxpy.pool_images = '$dies'");
ok(wait_until(sub { (pool_stat($node, $dies) // {})->{failed} }, 20), 'an image whose containers end at once is noticed by the next sweep');
like(pool_stat($node, $dies)->{error}, qr/ended before it was ready: .*No module named/, '... hxpy_stat_pool shows its last line');
ok(wait_until(sub { pool_stat($node, $dies)->{failed} > 1 }, 30), '... it is tried again');
@lines = log_after($node, $log) =~ /^.*hxpy launcher: .*$/mg;
is(scalar(grep { /ended before it was ready/ } @lines), 1, '... and logged once') or diag "@lines";

# One that was removed before it had connected is in no list of those that have ended.
reconfigure($node, "hxpy.pool_images = '$sleeps'");
my $warming = wait_until(sub { (grep { my $c = inspect($_); $c && $c->{State}{Running} && $c->{Image} eq pool_stat($node, $sleeps)->{image_id} } pool_containers($node))[0] }, 20);
ok($warming, 'an image whose containers never connect');
# The launcher is still to hear from the engine that it runs.
sleep 1;
docker_ok('rm', '-f', $warming);
my $removed = time;
ok(wait_until(sub { my @now = pool_containers($node); @now == 1 && $now[0] ne $warming && pool_stat($node, $sleeps)->{failed} == 1 }, 15),
	'... one that is removed is replaced within one sweep, after ' . ms(time - $removed) . ' ms');
like(pool_stat($node, $sleeps)->{error}, qr/ended before it was ready/, '... hxpy_stat_pool shows that');
reconfigure($node, "hxpy.pool_images = '$image'", 'hxpy.pool_size = 2', 'hxpy.pool_starts = 4');
ok(defined wait_pool_full($node, 2), 'one image again');

# ---- containers of others

my $foreign = docker_ok('run', '-d', '--network', 'none', '--label', 'hxpy.cluster=1', '--label', 'hxpy.backend=1', '--label', 'hxpy.backend_start=1',
	'--entrypoint', 'sleep', $image, '300');
my $run = docker_ok('run', '-d', '--network', 'none', '--label', "hxpy.cluster=$cluster", '--label', 'hxpy.run=1', '--entrypoint', 'sleep', $image, '300');
my $orphan = docker_ok('run', '-d', '--network', 'none', '--label', "hxpy.cluster=$cluster", '--label', 'hxpy.backend=999999', '--label', 'hxpy.backend_start=1',
	'--label', 'hxpy.pids=' . inspect((pool_containers($node))[0])->{Config}{Labels}{'hxpy.pids'}, '--entrypoint', 'sleep', $image, '300');
$psql->query(q{SELECT py_open('s'), py_close('s')});
ok(wait_until(sub { !inspect($orphan) }, 15), 'a container of this cluster whose owner is gone is removed');
ok(inspect($foreign) && inspect($run), 'another cluster\'s container is not, nor one of py_run');
docker('rm', '-f', $foreign, $run, $orphan);

# ---- the launcher goes and comes

$psql->query(q{SELECT py_exec(py_open('s'), 'x = 7')});
my $pid = launcher_pid($node);
$log = log_size($node);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
ok(wait_until(sub { launcher_pid($node) eq '' }, 10), 'the launcher is terminated');
# While there is none, another backend cleans up after ended ones.
my $meanwhile = hxpy_psql($node);
gives($meanwhile, q{SELECT py_eval(py_open('s'), '6 * 7')}, '42', 'sessions open without it');
gives($psql, q{SELECT py_eval('s', 'x')}, '7', '... and those that had a container of the pool go on');
ok(wait_until(sub { my $now = launcher_pid($node); $now ne '' && $now ne $pid }, 10), 'it starts again');
ok(defined wait_pool_full($node, 2), '... and fills the pool');
gives($psql, q{SELECT py_eval('s', 'x')}, '7', '... and sessions go on');
$_->query(q{SELECT py_close_all()}) for $psql, $meanwhile;
$meanwhile->end;
ok(wait_until(sub { only_pool($node) }, 10), '... nothing is left');

# ---- a standby on the same engine

{
	my $standby = hxpy_standby($node, 'standby');
	ok(defined wait_pool_full($standby, 2), 'a standby has its own pool');
	ok(pool_stat($node)->{ready} == 2, '... beside the primary\'s');
	my %of = map { ($_->name => { map { $_ => 1 } pool_containers($_) }) } $node, $standby;
	is(join(' ', map { scalar keys %{ $of{$_} } } sort keys %of), '2 2', '... two containers each');
	my $there = hxpy_psql($standby);
	$psql->query(q{SELECT py_exec(py_open('here'), 'x = 1')});
	$there->query(q{SELECT py_exec(py_open('there'), 'x = 2')});
	# The launcher that started the session's container is gone, but not its server.
	$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . launcher_pid($node) . ')');
	for (1 .. 3)
	{
		$_->query(q{SELECT py_open('s'), py_close('s')}) for $psql, $there;
		sleep 0.5;
	}
	ok(defined wait_pool_full($node, 2) && defined wait_pool_full($standby, 2), 'both stay full while sessions come and go');
	gives($psql, q{SELECT py_eval('here', 'x')}, '1', 'a session of the primary lives');
	gives($there, q{SELECT py_eval('there', 'x')}, '2', 'a session of the standby, too');
	$there->end;
	$standby->stop;
	is(scalar(grep { inspect($_) } keys %{ $of{standby} }), 0, 'the standby\'s containers go with it');
	gives($psql, q{SELECT py_eval('here', 'x')}, '1', 'the primary\'s do not');
	$psql->query('SELECT py_close_all()');
}

# ---- stops

for my $mode (qw(smart fast))
{
	ok(defined wait_pool_full($node, 2), "before a $mode stop");
	$psql->query(q{SELECT py_exec(py_open('s'), 'x = 1')});
	$psql->end if $mode eq 'smart';
	my $start = time;
	$node->stop($mode);
	is(containers($node) . ' ' . socket_dirs($node), '0 0', "after a $mode stop (" . ms(time - $start) . ' ms) nothing is left');
	$psql->end;
	$node->start;
	$psql = hxpy_psql($node);
}
# Also at moments when containers are being made.  The launcher gives up after 5 s, which is little
# where the machine is busy; the next one then removes what is left.
my @left;
for my $n (1 .. hxpy_rounds(5))
{
	sleep rand() * 0.5;
	$psql->end;
	my $start = time;
	$node->stop;
	push @left, containers($node), socket_dirs($node) if time - $start < 5;
	$node->start;
	$psql = hxpy_psql($node);
}
is("@left", '', 'stops just after the start leave nothing');
ok(wait_until(sub { only_pool($node) }, 10), '... and after the next start there is only the pool');
for my $mode (qw(immediate kill9))
{
	ok(defined wait_pool_full($node, 2), "before a stop ($mode)");
	$psql->query(q{SELECT py_open('s')});
	my @before = containers($node);
	$mode eq 'kill9' ? $node->kill9 : $node->stop($mode);
	$psql->end;
	ok(wait_until(sub { !docker_ok('ps', '-q', '--filter', "label=hxpy.cluster=$cluster") }, 5), "$mode: no container runs");
	start_again($node);
	my $start = time;
	ok(wait_until(sub { !grep { inspect($_) } @before }, 10), "$mode: the earlier postmaster's containers are removed " . ms(time - $start) . ' ms after the start');
	ok(defined wait_pool_full($node, 2), '... and the pool is full');
	ok(wait_until(sub { only_pool($node) }, 5), '... nothing else is left');
	$psql = hxpy_psql($node);
}

# ---- an engine that goes, comes back, and hangs

my $dir = PostgreSQL::Test::Utils::tempdir_short();
my ($real) = docker_ok('context', 'inspect', '--format', '{{.Endpoints.docker.Host}}') =~ m{^unix://(.*)};
$real ||= '/var/run/docker.sock';
my $socket = "$dir/engine";
my $proxy = start_engine($socket, 'proxy', $socket, $real, 'slow:/start=4');
reconfigure($node, "hxpy.docker_host = 'unix://$socket'");
ok(defined wait_pool_full($node, 2), 'an engine that is slower to say that a container runs than the container is to be ready');
is(opened_as($psql, '', pool_containers($node)), 'warm', '... gives warm containers');
$psql->query(q{SELECT py_close('s')});
ok(defined wait_pool_full($node, 2), '... and full again');
$log = log_size($node);
unlink $socket;
stop_process($proxy);
is(opened_as($psql, '', pool_containers($node)), 'warm', 'without an engine a session takes what is ready');
ok(wait_until(sub { (pool_stat($node)->{error} // '') =~ /could not connect to the Docker engine/ }, 15), '... hxpy_stat_pool shows the error');
sleep 3;
@lines = log_after($node, $log) =~ /^.*(?:hxpy launcher: .*)$/mg;
ok(@lines >= 1 && @lines <= 3, '... a few log lines: ' . @lines) or diag join "\n", @lines;
is(scalar(grep { /could not remove container.*could not connect/ } @lines), 0, '... none of them about what could not be removed without it') or diag join "\n", @lines;
gives($psql, q{SELECT py_eval('s', '6 * 7')}, '42', '... the session works');
$psql->query(q{SELECT py_close('s')});
$proxy = start_engine($socket, 'proxy', $socket, $real, 'none:');
ok(defined wait_pool_full($node, 2), 'the engine is back: the pool fills again');
like(log_after($node, $log), qr/hxpy launcher: the Docker engine is back/, '... which is logged');
is(pool_stat($node)->{error}, undef, '... the error is gone');
ok(wait_until(sub { only_pool($node) }, 15), '... and what ended meanwhile is reaped');

$psql->query(q{SELECT py_open('s')});
my @before = containers($node);
kill 'STOP', $proxy;
sleep 3;
my $start = time;
$node->stop('fast');
$took = time - $start;
ok($took < 8, 'a fast stop while the engine hangs takes ' . ms($took) . ' ms');
$psql->end;
kill 'CONT', $proxy;
$node->start;
ok(wait_until(sub { !grep { inspect($_) } @before }, 15), 'the next start removes what it left');
ok(defined wait_pool_full($node, 2), '... and fills the pool');
reconfigure($node, "hxpy.docker_host = 'unix://$real'");
ok(wait_until(sub { only_pool($node) && pool_stat($node)->{ready} == 2 }, 20), 'the engine by its own socket again');

# A superuser's session at another address of an engine, which no launcher watches.
$psql = hxpy_psql($node);
$psql->query("SET hxpy.docker_host = 'unix://$socket'");
is(opened_as($psql, '', pool_containers($node)), 'cold', 'a session with an engine of its own starts cold');
ok(inspect(session_container($psql, 's'))->{HostConfig}{AutoRemove}, '... and the engine removes its container');
$psql->query('SELECT py_close_all()');

# ---- without the library preloaded

$psql->end;
reconfigure($node, q{shared_preload_libraries = ''});
$node->restart;
$psql = hxpy_psql($node);
is(opened_as($psql, ''), 'cold', 'without shared_preload_libraries: a session starts cold');
ok(inspect(session_container($psql, 's'))->{HostConfig}{AutoRemove}, '... the engine removes its container');
is($psql->query('SELECT count(*) FROM hxpy_stat_pool')->{out}, '0', '... and there is no pool');

hxpy_finish();
