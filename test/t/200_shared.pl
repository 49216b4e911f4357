# Containers that the sessions of a role share: who shares with whom, what each session
# keeps to itself, limits, and what is left when something dies.  How siblings are kept
# apart in the container is python/tests/test_shared.py's.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = hxpy_cluster('shared', q{shared_preload_libraries = 'hxpy'}, 'max_connections = 100', 'hxpy.pool_size = 0',
	'hxpy.share = role', 'hxpy.sessions_per_container = 10', 'hxpy.role_memory = 1800MB', 'hxpy.role_cpus = 4',
	'hxpy.containers_per_role = 2', 'hxpy.pool_idle = 3600');
my $cluster = $node->safe_psql('postgres', 'SELECT system_identifier FROM pg_control_system()');
my $watcher = hxpy_psql($node);
$watcher->query($_) for 'CREATE DATABASE other';
$node->safe_psql('other', 'CREATE EXTENSION hxpy');
$node->safe_psql('other', 'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO hxpy_user');

# Open a session; returns the container that it is in.
sub open_in
{
	my ($psql, $name, $options) = @_;
	$psql->must("SELECT py_open('$name'" . ($options // '') . ')');
	return $psql->must("SELECT container FROM hxpy_stat_sessions WHERE session = '$name' AND pid = pg_backend_pid()");
}

# What is seen of the shared containers of a role.
sub seen { return $watcher->query("SELECT $_[1] FROM hxpy_stat_pool WHERE role = '$_[0]' ORDER BY 1")->{out}; }

# ---- who shares with whom

my $alice = hxpy_psql($node, user => 'alice');
my $second = hxpy_psql($node, user => 'alice');
my $home = open_in($alice, 'a');
is(open_in($alice, 'b'), $home, 'two sessions of a connection share a container');
is(open_in($second, 'a'), $home, '... and one of another connection');
is(open_in($second, 'm', q{, memory => '128MB', cpus => 0.5}), $home, '... whatever its own limits');
isnt(open_in(hxpy_psql($node, user => 'bob'), 'a'), $home, 'another role has another one');
isnt(open_in(hxpy_psql($node, user => 'alice', dbname => 'other'), 'a'), $home, 'another database, too');
is(seen('alice', 'database, ready, sessions'), "other|1|1\npostgres|1|4", 'hxpy_stat_pool shows them');
is($watcher->query(q{SELECT DISTINCT shared FROM hxpy_stat_sessions})->{out}, 't', 'hxpy_stat_sessions says so');
my $container = inspect($home);
is($container->{HostConfig}{Memory}, 900 << 20, 'the container has its part of the memory of the role');
is($container->{HostConfig}{NanoCpus}, 2e9, '... and the CPUs');
like($container->{HostConfig}{SecurityOpt}[1], qr/^seccomp=/, '... and the sandbox of all');

$watcher->query('SET hxpy.share = off');
is($watcher->must(q{SELECT py_open('own')}) . $watcher->must(q{SELECT shared FROM hxpy_stat_sessions WHERE session = 'own'}), 'ownf', 'with hxpy.share = off a session has its own');
fails($alice, 'SET hxpy.share = off', '42501', qr/permission denied/, 'which is not for users to choose');
$watcher->query(q{SELECT py_close('own')});

# ---- what is a session's own

$alice->must(q{SELECT py_define('a', 'x', 1)});
fails($alice, q{SELECT py_eval('b', 'x')}, '38000', qr/NameError/, 'variables');
is($alice->must(q{SELECT py_eval('a', '__import__("os").getcwd()') <> py_eval('b', '__import__("os").getcwd()')}), 't', 'the directory');
is($alice->must(q{SELECT py_eval('a', '__import__("random").random()') <> py_eval('b', '__import__("random").random()')}), 't', 'random values');
$second->send(q{SELECT py_exec('a', 'import time; time.sleep(60)')});
sleep 0.5;
is($alice->must(q{SELECT py_eval('a', 'x')}), '1', 'time');
kill 'INT', $second->pid;
fails($second, $second->wait, '57014', qr/keeps its variables/, 'a cancel interrupts one');
$second->query(q{SET hxpy.cancel_grace = '500ms'});
$second->query(sprintf q{SET hxpy.eval_timeout = '%dms'}, 500 * patience(1));
fails($second, q{SELECT py_eval('a', 'sum(range(10**12))')}, '57014', qr/lost|killed/, 'what does not answer is killed');
$second->query('RESET hxpy.eval_timeout');
is($alice->must(q{SELECT py_eval('a', 'x')}), '1', '... alone');
is(inspect($home)->{State}{Running}, JSON::PP::true(), '... its container runs on');
fails($second, q{SELECT py_exec('m', 'import os; os._exit(3)')}, '08006', qr/exited with status 3/, 'one that ends');
fails($alice, q{SELECT py_exec('b', 'import os; os.kill(-1, 9)')}, '38000', qr/PermissionError/, 'one cannot kill the others');
is($alice->must(q{SELECT py_eval('a', 'x')}), '1', '... which live');
$alice->must(q{SELECT py_define('a', 'x', 2)});
ok(wait_until(sub { seen('alice', 'database, sessions') eq "other|1\npostgres|2" }, 10), 'lost sessions do not count') or diag seen('alice', 'database, sessions');

# ---- memory and processes

my $bomb = open_in($second, 'bomb', q{, memory => '300MB'});
is($bomb, $home, 'one more');
fails($second, q{SELECT py_exec('bomb', 'x = bytearray(10**9)')}, '38000', qr/MemoryError/, 'more memory than its own is an error of Python');
fails($second, q{SELECT py_exec('bomb', $$
import os, time
for _ in range(12):
    if not os.fork():
        x = bytearray(b'x') * (70 << 20)
        time.sleep(100)
time.sleep(60)$$)}, '08006', qr/out of memory/, 'a bomb of several processes dies');
is($alice->must(q{SELECT py_eval('a', 'x')}), '2', '... alone');
open_in($second, 'forks');
fails($second, q{SELECT py_exec('forks', $$
import os, time
for _ in range(70):
    if not os.fork():
        time.sleep(100)
time.sleep(60)$$)}, '08006', qr/more than 64 processes/, 'so does one of too many processes');

# ---- how many fit, and in how much

my @many = map { hxpy_psql($node, user => 'bob') } 1 .. 12;
$_->send(q{SELECT py_open('s')}) for @many;
is(scalar(grep { $_->wait->{state} eq '00000' } @many), 12, '12 at once');
is(seen('bob', 'ready, sessions'), '2|13', 'over hxpy.sessions_per_container there is a second container');
$_->end for @many;
ok(wait_until(sub { seen('bob', 'sessions') eq '1' }, 10), 'sessions end with their connections');

# alice has two, in two databases: that is all that she may have.
@many = map { hxpy_psql($node, user => 'alice') } 1 .. 12;
$_->send(q{SELECT py_open('s')}) for @many;
my %states = map { $_ => 1 } map { $_->wait->{state} } @many;
is_deeply([sort keys %states], ['00000', '53200'], 'over hxpy.containers_per_role sessions are refused');
is(seen('alice', 'database, ready, sessions'), "other|1|1\npostgres|1|10", '... once all places are taken');
fails($many[-1], q{SELECT py_open('s')}, '53200', qr/another container of the role's.*2 containers at once.*hxpy\.containers_per_role/s, '... with the reason');
$_->end for @many;
ok(wait_until(sub { seen('alice', 'database, sessions') =~ /postgres\|[1-5]$/ }, 10), '... until others end') or diag seen('alice', 'database, sessions');
is(open_in($alice, 'room'), $home, '... and then there is room');

reconfigure($node, q{hxpy.max_total_memory = '2700MB'});
my $carol = hxpy_psql($node);
$carol->query($_) for 'CREATE ROLE carol IN ROLE hxpy_user', 'SET ROLE carol';
fails($carol, q{SELECT py_open('s')}, '53200', qr/no memory for another Python session.*hxpy\.max_total_memory/s, 'hxpy.max_total_memory refuses another container');
is(open_in($alice, 'c'), $home, '... not a session in one that is there');
$carol->query($_) for 'RESET ROLE', 'SET hxpy.share = off', 'SET ROLE carol';
fails($carol, q{SELECT py_open('s', memory => '500MB')}, '53200', qr/no memory/, '... but a container of its own');
reconfigure($node, q{hxpy.max_total_memory = 0});
ok(wait_until(sub { $carol->query('SHOW hxpy.max_total_memory')->{out} eq '0' }, 5), 'it can be lifted');
$carol->must(q{SELECT py_open('s', memory => '500MB')});
$carol->end;

# ---- ends

my $launcher = launcher_pid($node);
kill 'TERM', $launcher;
ok(wait_until(sub { my $now = launcher_pid($node); $now ne '' && $now ne $launcher }, 20), 'a new launcher');
is($alice->must(q{SELECT py_eval('a', 'x')}), '2', 'sessions survive the old one');
my $later = hxpy_psql($node, user => 'alice');
isnt(open_in($later, 'a'), $home, 'new ones have a new container');
$_->end for $alice, $second;
ok(wait_until(sub { !defined inspect($home) }, 20), 'the old one goes after its last session');
my $new = $later->must(q{SELECT container FROM hxpy_stat_sessions WHERE session = 'a' AND pid = pg_backend_pid()});
docker('kill', $new);
fails($later, q{SELECT py_eval('a', '1')}, '08006', qr/lost/, 'a container that is killed');
is(open_in($later, 'again'), $later->must(q{SELECT container FROM hxpy_stat_sessions WHERE session = 'again'}), '... another one comes in its place');
ok(wait_until(sub { !defined inspect($new) }, 20), '... and it is removed');
$later->end;
reconfigure($node, 'hxpy.pool_idle = 1');
ok(wait_until(sub { $watcher->query(q{SELECT count(*) FROM hxpy_stat_pool WHERE role = 'alice' AND database = 'postgres'})->{out} eq '0' }, 30), 'a container that nobody has used for hxpy.pool_idle goes');

hxpy_finish($node);
