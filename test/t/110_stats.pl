# What sessions are doing: the view hxpy_stat_sessions with and without shared memory,
# its counters, who sees what, progress, the caps of the whole cluster, slots that come
# back, and records of Python's logging in the server log.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = hxpy_cluster('stats', q{shared_preload_libraries = 'hxpy'}, 'hxpy.max_total_sessions = 6', 'hxpy.cancel_grace = 300ms',
	'restart_after_crash = on');
my $image = hxpy_image();
my $psql = hxpy_psql($node);
my $watcher = hxpy_psql($node);

# Return columns of a session's row, as another connection sees it.
sub look
{
	my ($columns, $session) = @_;
	return $watcher->query("SELECT $columns FROM hxpy_stat_sessions WHERE session = '" . ($session // 's') . "'")->{out};
}

# Wait until a session's row is as the condition says.
sub comes
{
	my ($condition, $name, $session) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(wait_until(sub { look($condition, $session) eq 't' }, 20), $name) or diag look('*', $session);
	return;
}

# Check columns of the session "s".
sub shows
{
	my ($columns, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(look($columns), $expected, $name);
	return;
}

# ---- a session's row

gives($watcher, 'SHOW hxpy.max_total_sessions', '6', 'the setting is known at the start');
gives($watcher, q{SELECT context FROM pg_settings WHERE name = 'hxpy.max_total_sessions'}, 'postmaster', '... and only then');
gives($watcher, 'SELECT count(*) FROM hxpy_stat_sessions', '0', 'no session yet');
$psql->query(q{SELECT py_open('s')});
my ($container) = map { substr $_, 0, 12 } containers($node);
shows('pid, role, database, container, image, network, state, instruction, instruction_started', join('|', $psql->pid, $psql->query('SELECT current_user')->{out}, 'postgres', $container, $image, 'none', 'idle', '', ''), 'a new session');
shows('evals, rows_in, rows_out, bytes_in, bytes_out, total_time, progress_done', '0|0|0|0|0|0|', '... has done nothing');
shows(q{now() - started BETWEEN '0' AND '1 min'}, 't', '... for a while');
gives($psql, q{SELECT session FROM hxpy_stat_sessions}, 's', 'its own connection sees it, too');

# ---- counters

$psql->query(q{SELECT py_eval('s', '6 * 7')});
my $in = look('bytes_in');
# docs/protocol.md: header, batch, the text "expr" of 5 bytes, the wanted jsonb of none
is($in, 16 + 8 + (16 + 8 + 8 + 8) + (16 + 8), 'bytes of a request');
shows('evals, bytes_out, instruction, state', '1|56|eval 6 * 7|idle', '... and of its answer');
$psql->query(q{SELECT py_eval('s', '6 * 7') FROM generate_series(1, 9)});
shows("evals, bytes_in / $in, bytes_out / 56", '10|10|10', 'ten times');
$psql->query(q{SELECT py_define('s', 'x', 'secret'::text)});
shows('evals, instruction', '11|define x', 'py_define, without the value');
$psql->query(q{SELECT py_exec('s', 'y = 1')});
shows('evals, instruction', '12|exec y = 1', 'py_exec');
shows('rows_in, rows_out', '0|0', 'no rows so far');
$psql->query(q{SELECT py_define_grid('s', 'g', 'SELECT i, i::text AS t FROM generate_series(1, 100000) i')});
shows('evals, instruction, rows_in, rows_out', '13|grid g|100000|0', 'py_define_grid');
$psql->query(q{SELECT py_define_matrix('s', 'm', 'SELECT i FROM generate_series(1, 10) i')});
shows('instruction, rows_in', 'grid m|100010', 'py_define_matrix');
$psql->query(q{SELECT count(*) FROM py_eval_grid('s', 'g') AS t(i int, t text)});
shows('instruction, rows_in, rows_out', 'eval_grid g|100010|100000', 'py_eval_grid');
$psql->query(q{SELECT count(r::text) FROM py_eval_grid('s', 'g') AS r(i int, t text)});
shows('rows_out', '200000', '... through a tuplestore');
$psql->query(q{SELECT count(*) FROM py_eval_rows('s', 'm')});
shows('rows_out', '200010', 'py_eval_rows');
$psql->query(q{SELECT py_eval_into('s', 'g', 'made')});
shows('instruction, rows_out', 'eval_grid g|300010', 'py_eval_into');
$psql->query(q{SELECT count(*) FROM py_apply('s', 'lambda df: df[df.i % 2 == 0]', 'SELECT i FROM generate_series(1, 1000) i') AS t(i int)});
shows('instruction, rows_in, rows_out', 'apply lambda df: df[df.i % 2 == 0]|101010|300510', 'py_apply');
$psql->query(q{SELECT py_agg('s', 'len', i) FROM generate_series(1, 100) i GROUP BY i % 4});
shows('instruction, rows_in, rows_out', 'calls len|101110|300510', 'py_agg');
my $evals = look('evals');
my $ms = look('total_time');
$psql->query(q{SELECT py_exec('s', 'import time; time.sleep(0.3)')});
shows("total_time - $ms BETWEEN 300 AND 2000", 't', 'total_time');
fails($psql, q{SELECT py_eval('s', '1 / 0')}, '38000', qr/ZeroDivisionError/, 'an instruction that fails');
shows("evals - $evals, state, instruction", '2|idle|eval 1 / 0', '... counts, and is over');
$ms = look('total_time');
$psql->query(q{SET hxpy.eval_timeout = '200ms'});
fails($psql, q{SELECT py_eval('s', 'time.sleep(9)')}, '57014', qr/keeps its variables/, 'one that is interrupted');
shows("evals - $evals, state, total_time - $ms BETWEEN 200 AND 2000", '3|idle|t', '... too');
$psql->query('RESET hxpy.eval_timeout');
fails($psql, q{SELECT py_define_grid('s', 'g', 'SELECT 1 / (500 - i) FROM generate_series(1, 1000) i')}, '22012', qr/division/, 'a query that fails');
shows("evals - $evals, state", '4|idle', '... too');
$psql->query(q{SELECT py_exec('s', '# ' || repeat('ä', 300))});
shows('octet_length(instruction), instruction', '205|exec # ' . 'ä' x 99, 'a long source is cut between characters');
$psql->query(q{SELECT py_exec('s', '#' || repeat('ä', 300))});
shows('octet_length(instruction)', '204', '... wherever they end');

# ---- while it runs

$psql->send(q{SELECT py_exec('s', 'time.sleep(60)')});
comes(q{state = 'active' AND instruction = 'exec time.sleep(60)' AND now() - instruction_started < '1 min'}, 'an instruction shows while it runs');
my $event = $watcher->query('SELECT wait_event_type, wait_event FROM pg_stat_activity WHERE pid = ' . $psql->pid)->{out};
is($event, $node->pg_version >= 17 ? 'Extension|HxpyWorker' : 'Extension|Extension', 'what the backend waits for');
kill 'INT', $psql->pid;
fails($psql, $psql->wait, '57014', qr/keeps its variables/, 'cancelled');
comes(q{state = 'idle'}, '... it is idle again');

my ($rows_in, $rows_out) = split /\|/, look('rows_in, rows_out');
$psql->query(q{SET hxpy.batch_size = '16kB'});
$psql->send(q{SELECT py_define_grid('s', 'slow', $$SELECT i, repeat('x', 1000) AS x, pg_sleep(0.002)::text AS y FROM generate_series(1, 1000) i$$)});
comes("rows_in > $rows_in AND rows_in < $rows_in + 1000 AND state = 'active'", 'rows to Python are counted as they go');
is($psql->wait->{state}, '00000', '... to the end');
shows("rows_in - $rows_in", '1000', '... all of them');
$psql->query(q{SELECT py_exec('s', 'def slow():
	for i in range(10):
		time.sleep(0.1)
		yield {"i": [i, i]}
')});
$psql->send(q{SELECT count(*) FROM py_eval_grid('s', '({"i": i} for t in slow() for i in t["i"])') AS t(i int)});
is($psql->wait->{out}, '20', 'a generator');
shows("rows_out - $rows_out", '20', '... is counted');
$psql->send(q{SELECT pg_sleep(0.05), i FROM py_eval_grid('s', 'iter([__import__("pandas").DataFrame({"i": [1, 2]})] * 40)') AS t(i int)});
comes("rows_out > $rows_out + 20 AND rows_out < $rows_out + 100", 'rows from Python are counted as they come');
$psql->wait;
shows("rows_out - $rows_out", '100', '... all of them');

# ---- progress

$psql->query(q{SELECT py_exec('s', 'import hxpy, threading')});
$psql->send(q{SELECT py_exec('s', 'hxpy.progress(30, 120.5, "loading größe"); time.sleep(60)')});
comes(q{progress_done = 30 AND progress_total = 120.5 AND progress_message = 'loading größe' AND state = 'active'}, 'progress shows while an instruction runs');
kill 'INT', $psql->pid;
is($psql->wait->{state}, '57014', 'cancelled');
$psql->query(q{SELECT py_exec('s', 'threading.Thread(target=hxpy.progress, args=(5,)).start(); time.sleep(0.2)')});
shows('progress_done, progress_total, progress_message', '5||', 'progress of a thread, without total and message');
my $result = $psql->query(q{SELECT py_eval('s', 'hxpy.progress(1, 2)')});
is($result->{err}, '', 'no message unless it is asked for');
$psql->query(q{SELECT py_eval('s', '1')});
shows('progress_done', '', 'the next instruction has none');
$psql->query('SET hxpy.progress = notice');
$result = $psql->query(q{SELECT py_exec('s', 'hxpy.progress(0, 3, "three"); hxpy.progress(1, 3); hxpy.progress(2, 3); hxpy.progress(3, 3)')});
is_deeply([($result->{err} =~ /^NOTICE:  \w+: (.*)/mg)[0, -1]], ['progress: 0 of 3 (0 %): three', 'progress: 3 of 3 (100 %)'], 'messages: the first and the last');
$result = $psql->query(q{SELECT py_exec('s', 'hxpy.progress(1e15, message="x" * 500 + chr(27))')});
like($result->{err}, qr/^NOTICE:  \w+: progress: 1e\+15: x{200}$/m, 'a long message is cut');
$result = $psql->query(q{SELECT py_exec('s', 'hxpy.progress(1, 0, "a" + chr(27) + "[2J" + chr(10) + "b")')});
like($result->{err}, qr/^NOTICE:  \w+: progress: 1 of 0: a\?\[2J\nb$/m, 'its control characters are gone');
shows(q{progress_message = E'a?[2J\nb'}, 't', '... in the view, too');
$psql->query('SET hxpy.progress = log');
$psql->query(q{SET client_min_messages = error; SELECT py_exec('s', 'hxpy.progress(7, 8, "in the log")')});
like(slurp_file($node->logfile), qr/LOG:  progress: 7 of 8 \(87 %\): in the log/, 'progress in the server log');
$psql->query('RESET hxpy.progress; RESET client_min_messages');
for my $case (['"x"', 'TypeError'], ['None', 'TypeError'], ['-1', 'ValueError'], ['float("nan")', 'ValueError'], ['1, "x"', 'TypeError'], ['1, 2, 3', 'TypeError'])
{
	fails($psql, "SELECT py_exec('s', 'hxpy.progress($case->[0])')", '38000', qr/$case->[1]: \w+ must be/, "hxpy.progress($case->[0])");
}

# ---- logging

$result = $psql->query(q{SELECT py_exec(py_open('l', log_level => 'info'), 'import logging
logging.getLogger("mine").warning("to the %s", "log"); logging.info("info goes, too"); logging.debug("but this does not")')});
is("$result->{state} $result->{err}", '00000 ', 'records of logging do not go to the client');
my $log = slurp_file($node->logfile);
like($log, qr/LOG:  session "l": .*to the log$/m, '... but to the server log, with the session');
like($log, qr/LOG:  session "l": .*info goes, too$/m, '... from its level on');
unlike($log, qr/LOG:  session "l": .*but this does not/, '... not below');
$psql->query('SELECT py_close_all()');
gives($watcher, 'SELECT count(*) FROM hxpy_stat_sessions', '0', 'py_close_all gives the slots back');

# ---- who sees what

my $alice = hxpy_psql($node, user => 'alice');
my $bob = hxpy_psql($node, user => 'bob');
$alice->query(q{SELECT py_eval(py_open('hers'), '"her data"')});
$bob->query(q{SELECT py_eval(py_open('his'), '"his data"')});
my $all = 'SELECT role, database, session, state, instruction FROM hxpy_stat_sessions ORDER BY role';
my $hidden = '<insufficient privilege>';
gives($alice, $all, "alice|postgres|hers|idle|eval \"her data\"\nbob|postgres|||$hidden", 'alice sees her own session');
gives($bob, $all, "alice|postgres|||$hidden\nbob|postgres|his|idle|eval \"his data\"", 'bob sees his own');
gives($alice, q{SELECT jsonb_strip_nulls(to_jsonb(s)) = jsonb_build_object('pid', pid, 'role', 'bob', 'database', 'postgres', 'instruction', '} . $hidden . q{') FROM hxpy_stat_sessions s WHERE role = 'bob'}, 't', '... and nothing else of his');
my $nobody = hxpy_psql($node, user => 'nobody');
gives($nobody, $all, "alice|postgres|||$hidden\nbob|postgres|||$hidden", 'who may not use Python may look');
$psql->query('GRANT pg_read_all_stats TO nobody');
my $full = "alice|postgres|hers|idle|eval \"her data\"\nbob|postgres|his|idle|eval \"his data\"";
gives($nobody, $all, $full, 'pg_read_all_stats sees all');
$psql->query('REVOKE pg_read_all_stats FROM nobody; GRANT alice TO nobody');
gives($nobody, $all, "alice|postgres|hers|idle|eval \"her data\"\nbob|postgres|||$hidden", 'members of a role see its sessions');
$psql->query('REVOKE alice FROM nobody');
$psql->query(q{CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'; CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'});
my $latin = hxpy_psql($node, dbname => 'latin', setup => [q{SET client_encoding = 'UTF8'}, 'CREATE EXTENSION hxpy']);
my $ascii = hxpy_psql($node, dbname => 'ascii', setup => ['CREATE EXTENSION hxpy']);
gives($latin, $all, $full, 'a view from another database');
$alice->query(q{SELECT py_eval('hers', '"ä€"')});
gives($latin, q{SELECT instruction FROM hxpy_stat_sessions WHERE role = 'alice'}, 'eval "ä?"', '... of another encoding');
gives($ascii, q{SELECT instruction FROM hxpy_stat_sessions WHERE role = 'alice'}, 'eval "ä€"', '... of none');
$latin->query(q{SELECT py_eval(py_open('größe'), '"ß"')});
is(look('database, instruction', 'größe'), 'latin|eval "ß"', '... and back');
$ascii->query(q{SELECT py_exec(py_open('größe2'), '#' || repeat('ä', 200))});
is(look('database, octet_length(instruction)', 'größe2'), 'ascii|204', '... and from none');

# ---- caps

gives($watcher, 'SELECT count(*) FROM hxpy_stat_sessions', '4', 'four sessions');
$psql->query(q{SELECT py_open('a'), py_open('b')});
fails($psql, q{SELECT py_open('c')}, '53400', qr/too many Python sessions in this server.*HINT:.*hxpy\.max_total_sessions is 6/s, 'hxpy.max_total_sessions');
fails($alice, q{SELECT py_open('c')}, '53400', qr/too many Python sessions in this server/, '... for everybody');
is($psql->query(q{SELECT py_open('a')})->{state}, '00000', 'an open one is returned');
$_->query('SELECT py_close_all()') for $latin, $ascii, $psql;
is($alice->query(q{SELECT py_open('c')})->{state}, '00000', 'there is room again');
$latin->end;
$ascii->end;
$psql->query('ALTER ROLE alice SET hxpy.max_role_sessions = 3');
fails($alice, 'SET hxpy.max_role_sessions = 0', '42501', qr/permission denied to set parameter/, 'hxpy.max_role_sessions is for superusers');
my $alice2 = hxpy_psql($node, user => 'alice');
is($alice2->query(q{SELECT py_open('d')})->{state}, '00000', "a role's third session, in another connection");
fails($alice2, q{SELECT py_open('e')}, '53400', qr/too many Python sessions of role "alice".*HINT:.*hxpy\.max_role_sessions is 3/s, 'not a fourth');
is($bob->query(q{SELECT py_open('e')})->{state}, '00000', '... but of another role');
gives($alice2, 'SELECT count(*) FROM py_sessions()', '1', 'what failed is not there');
$psql->query('ALTER ROLE alice RESET hxpy.max_role_sessions');

# ---- slots come back

sub used { return $watcher->query('SELECT count(*) FROM hxpy_stat_sessions')->{out}; }
sub slots
{
	my ($count, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(wait_until(sub { used() == $count }, 10), $name) or diag used();
	return;
}
slots(5, 'five sessions');
$alice->query(q{SELECT py_close('c')});
slots(4, 'after py_close');
$alice2->end;
slots(3, 'after the end of a connection');
$watcher->query('SELECT pg_terminate_backend(' . $bob->pid . ')');
slots(1, 'after pg_terminate_backend');
$alice->query('DISCARD ALL');
slots(0, 'after DISCARD ALL');
fails($psql, q{SELECT py_open('x', image => 'nosuch')}, '42501', qr/not allowed/, 'an image that is not allowed');
fails($psql, q{SELECT py_open('x', memory => '100GB')}, '53400', qr/hxpy.max_memory/, 'too much memory');
$psql->query(q{SET hxpy.docker_host = 'unix:///nonexistent/docker.sock'});
is($psql->query(q{SELECT py_open('x')})->{state}, '08001', 'no engine') for 1 .. 7;
$psql->query('RESET hxpy.docker_host; SET hxpy.open_timeout = 1');
is($psql->query(q{SELECT py_open('x', memory => '512MB')})->{state} =~ /^(57014|08001)$/, 1, 'no time to open');
$psql->query(q{RESET hxpy.open_timeout; SET hxpy.allowed_images = '*'});
my $dies = variant_image('dies');
is($psql->query(qq{SELECT py_open('x', image => '$dies')})->{state}, '08004', 'a container that dies');
$psql->query('RESET hxpy.allowed_images');
slots(0, 'after sessions that did not open');
$psql->query(sprintf q{SELECT py_open('s'); SET hxpy.eval_timeout = '%ds'}, patience(1));
fails($psql, q{SELECT py_exec('s', 'import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)
while True: pass')}, '57014', qr/is lost/, 'a session that does not react');
shows('state', 'lost', '... is lost');
$psql->query('RESET hxpy.eval_timeout');
is($psql->query(q{SELECT py_open('s')})->{state}, '00000', '... is replaced');
slots(1, '... and has one slot');
$psql->query(q{SELECT py_exec('s', 'import os; os._exit(3)')});
shows('state', 'lost', 'another one');
$psql->query(q{SELECT py_close('s')});
slots(0, '... is closed');
$psql->query(q{SELECT py_open('s')});
kill 'KILL', $psql->pid;
$_->end for $psql, $watcher, $alice, $bob, $nobody;
ok(wait_until(sub { defined ask($node, 'SELECT 1') }, 30), 'after a crash the server comes back');
$psql = hxpy_psql($node);
gives($psql, 'SELECT count(*) FROM hxpy_stat_sessions', '0', '... without sessions');
$psql->query(q{SELECT py_open('s')});
gives($psql, 'SELECT session, state FROM hxpy_stat_sessions', 's|idle', '... but for new ones');
$psql->end;

# ---- memory and CPU, which the launcher asks for

SKIP:
{
	skip 'there is no launcher', 3
	  if $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'hxpy launcher'}) == 0;
	$psql = hxpy_psql($node);
	$watcher = hxpy_psql($node);
	$psql->query(q{SELECT py_exec(py_open('s'), 'x = b"x" * 200_000_000')});
	ok(wait_until(sub { look('memory > 200000000') eq 't' }, 25), 'memory') or diag look('*');
	$psql->query(q{SELECT py_exec('s', 'import time
t = time.process_time()
while time.process_time() - t < 2: [i for i in range(1000)]')});
	ok(wait_until(sub { look('cpu_time > 2000') eq 't' }, 25), 'CPU time') or diag look('*');
	$psql->query(q{SELECT py_exec('s', 'del x')});
	ok(wait_until(sub { look('memory < 200000000') eq 't' }, 25), 'memory that is given back') or diag look('*');
	$_->end for $psql, $watcher;
}
$node->stop;

# ---- without shared memory

my $plain = hxpy_cluster('plain', 'hxpy.max_total_sessions = 2');
$psql = hxpy_psql($plain);
$watcher = hxpy_psql($plain);
my $quiet = $psql->query(q{LOAD 'hxpy'});
is("$quiet->{state} $quiet->{err}", '00000 ', 'a setting of shared memory is no error without it');
$psql->query(q{SELECT py_eval(py_open($$s$$ || i), '1') FROM generate_series(1, 4) i});
gives($psql, q{SELECT session, state, evals FROM hxpy_stat_sessions ORDER BY session}, join("\n", map { "s$_|idle|1" } 1 .. 4), "the connection's own sessions, more than hxpy.max_total_sessions");
gives($watcher, 'SELECT count(*) FROM hxpy_stat_sessions', '0', '... which no other sees');
$psql->query('SET ROLE alice');
gives($psql, 'SELECT count(*), count(session) FROM hxpy_stat_sessions', '4|0', 'another role sees as little as ever');
$psql->query('RESET ROLE; SET hxpy.max_role_sessions = 5; SET hxpy.max_sessions = 20');
gives($psql, q{SELECT py_open('s5')}, 's5', "a role's fifth session");
fails($psql, q{SELECT py_open('s6')}, '53400', qr/too many Python sessions of role/, '... not its sixth');
$psql->query('SELECT py_close_all()');
gives($psql, 'SELECT count(*) FROM hxpy_stat_sessions', '0', 'all are closed');

hxpy_finish();
