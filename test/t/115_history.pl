# What sessions have done: hxpy_stat_database and hxpy_stat_role, over restarts and crashes,
# why a session was lost, and what images of the pool import.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $other = "hxpytest:other-$$";
tag_image($other);
my $node = hxpy_cluster('history', q{shared_preload_libraries = 'hxpy'}, 'hxpy.cancel_grace = 300ms', 'hxpy.pool_size = 1', "hxpy.allowed_images = 'hxpy:*, hxpytest:*'",
	"hxpy.pool_images = '" . hxpy_image() . ", $other'", "hxpy.pool_imports = 'wave; $other = decimal,sched'", 'restart_after_crash = on');
$node->safe_psql('postgres', 'CREATE DATABASE second');
my $psql = hxpy_psql($node, user => 'alice');
my $watcher = hxpy_psql($node);

# Return columns of alice's row, or of a database's.
sub alice { return $watcher->query("SELECT $_[0] FROM hxpy_stat_role WHERE role = 'alice'")->{out}; }
sub database { return $watcher->query("SELECT $_[0] FROM hxpy_stat_database WHERE database = '" . ($_[1] // 'postgres') . "'")->{out}; }

# ---- what counts

ok(defined wait_pool_full($node, 1), 'the pool is full');
is(alice('*'), '', 'nothing yet');
$psql->query(q{SELECT py_open('s')});
is(alice('sessions, calls, rows_in, bytes_in, errors, timeouts, cancels, memory_kills, pool_hits, pool_misses'), '1|0|0|0|0|0|0|0|1|0', 'a session out of the pool');
$psql->query(q{SELECT py_open('cold', memory => '200MB')});
is(alice('sessions, pool_hits, pool_misses'), '2|1|0', 'one that the pool does not have');
$psql->query(q{SELECT py_eval('s', '6 * 7')});
is(alice('calls'), '1', 'what a session does shows while it is open');
my $bytes = alice('bytes_in, bytes_out');
is($bytes, $psql->query(q{SELECT bytes_in || '|' || bytes_out FROM hxpy_stat_sessions WHERE session = 's'})->{out}, '... and its bytes');
$psql->query(q{SELECT py_define_grid('s', 'g', 'SELECT i FROM generate_series(1, 100) i')});
$psql->query(q{SELECT count(*) FROM py_eval_grid('s', 'g') AS t(i int)});
is(alice('calls, rows_in, rows_out'), '3|100|100', 'rows both ways');
fails($psql, q{SELECT py_eval('s', '1 / 0')}, '38000', qr/ZeroDivision/, 'an error');
$psql->query(q{SET hxpy.eval_timeout = '200ms'});
fails($psql, q{SELECT py_eval('s', '__import__("time").sleep(9)')}, '57014', qr/hxpy.eval_timeout/, 'a timeout');
$psql->query(q{SET hxpy.eval_timeout = 0});
$psql->send(q{SELECT py_eval('s', '__import__("time").sleep(9)')});
ok(wait_until(sub { $watcher->query(q{SELECT count(*) FROM hxpy_stat_sessions WHERE state = 'active'})->{out} eq '1' }, 20), 'it runs');
kill 'INT', $psql->pid;
fails($psql, $psql->wait, '57014', qr/user request/, 'a cancel');
is(alice('errors, timeouts, cancels'), '1|1|1', '... all are counted');
is(alice('total_time BETWEEN 200 AND 20000'), 't', 'time in Python');
fails($psql, q{SELECT py_eval('cold', 'len(bytearray(10 ** 9))')}, '08006', qr/out of memory/, 'a session dies of memory');
is(alice('memory_kills'), '1', '... it is counted');
is($watcher->query(q{SELECT state, lost_reason FROM hxpy_stat_sessions WHERE session = 'cold'})->{out}, 'lost|Python ran out of memory', '... and the view says why');
is($watcher->query(q{SELECT lost_reason IS NULL FROM hxpy_stat_sessions WHERE session = 's'})->{out}, 't', 'the other one is not lost');
$psql->query(q{SELECT py_open('t')});
fails($psql, q{SELECT py_exec('t', 'exit(3)')}, '08006', qr/status 3/, 'another ends itself');
is($watcher->query(q{SELECT lost_reason FROM hxpy_stat_sessions WHERE session = 't'})->{out}, 'Python exited with status 3', '... with that reason');

# ---- by database and role, and after sessions have ended

my $columns = 'sessions, calls, rows_in, rows_out, bytes_in, bytes_out, total_time, errors, timeouts, cancels, memory_kills, pool_hits, pool_misses';
my $before = alice($columns);
$psql->query('SELECT py_close_all()');
is(alice($columns), $before, 'what closed sessions have done stays');
$psql->end;
is(alice($columns), $before, '... and after their connection');
is(database($columns), $before, 'the database has done that, too');
$node->safe_psql('second', 'CREATE EXTENSION hxpy; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO hxpy_user');
my $there = hxpy_psql($node, user => 'alice', dbname => 'second');
$there->query(q{SELECT py_eval('1')});
is(database('sessions, calls', 'second'), '1|1', 'another database');
my ($sessions) = split /\|/, $before;
is(alice('sessions'), $sessions + 1, '... the role is the same');
$there->end;
my $nobody = hxpy_psql($node, user => 'nobody');
gives($nobody, q{SELECT count(*) FROM hxpy_stat_role WHERE role = 'alice'}, '1', 'everybody may look');
fails($nobody, 'SELECT hxpy_stat_reset()', '42501', qr/permission denied/, '... but not reset');
$nobody->end;

# ---- restart, crash, reset

$before = alice($columns);
my $since = alice('stats_reset');
$watcher->end;
$node->restart;
$watcher = hxpy_psql($node);
is(alice($columns), $before, 'all is there after a restart');
is(alice('stats_reset'), $since, '... since the same moment');
my $data = $node->data_dir;
ok(!-e "$data/pg_stat/hxpy.stat", '... the file is gone');
$watcher->end;
$node->stop;
ok(-e "$data/pg_stat/hxpy.stat", 'a stopped server has one');
append_to_file("$data/pg_stat/hxpy.stat", 'x');
my $log = log_size($node);
$node->start;
like(log_after($node, $log), qr/ignoring invalid data in file "pg_stat\/hxpy.stat"/, 'one that is damaged is ignored');
$watcher = hxpy_psql($node);
is(alice('*'), '', '... the history begins anew');
$psql = hxpy_psql($node, user => 'alice');
$psql->query(q{SELECT py_eval('1'), py_eval('2')});
is(alice('sessions, calls'), '1|2', 'it goes on');
gives($watcher, 'SELECT hxpy_stat_reset()', '', 'reset');
is(alice('*'), '', '... also of what is open');
$psql->query(q{SELECT py_eval('3')});
is(alice('sessions, calls, stats_reset > now() - interval \'1 min\''), '0|1|t', '... counted from there');
is($psql->query(q{SELECT evals FROM hxpy_stat_sessions})->{out}, '3', 'the session\'s own row is as it was');
$log = log_size($node);
kill 'KILL', $psql->pid;
ok(wait_restarted($node, $log), 'a crash');
$watcher = hxpy_psql($node);
is($watcher->query('SELECT count(*) FROM hxpy_stat_role')->{out}, '0', '... the history is gone, as PostgreSQL\'s is');

# ---- imports by image

ok(defined wait_pool_full($node, 1, $other), 'the pool has the other image');
ok(defined wait_pool_full($node, 1), '... and ours');
$psql = hxpy_psql($node);
gives($psql, "SELECT py_open('other', image => '$other')", 'other', 'a session of the other image');
$psql->query(q{SELECT py_open('ours')});
my $imported = q{[m in __import__('sys').modules for m in ('wave', 'sched')]};
gives($psql, "SELECT py_eval('ours', \$\$$imported\$\$)", '[true, false]', 'ours has imported what stands for all');
gives($psql, "SELECT py_eval('other', \$\$$imported\$\$)", '[false, true]', 'the other one what stands for it');
$psql->end;
$watcher->end;

hxpy_finish($node);
