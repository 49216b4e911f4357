# Rows, rate and time left of long calls: as messages, and as other connections see them.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use Test::More;

my $node = hxpy_cluster('progress', q{shared_preload_libraries = 'hxpy'});
my $psql = hxpy_psql($node);
my $watcher = hxpy_psql($node);
my $rate = qr/rows, [\d.]+ a second/;
my $estimate = qr/; the total is the planner's estimate/;

# Run a query, look at the session's row once a message has come, and return both.
sub run_slowly
{
	my ($name, $query, $message, $row) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$psql->send($query);
	ok($psql->wait_message($message, patience(30)), "$name: a message");
	my $seen = '';
	ok(wait_until(sub {
		$seen = $watcher->query(q{SELECT progress_done, progress_total, progress_message FROM hxpy_stat_sessions WHERE session = 's'})->{out};
		$seen =~ $row
	}, 20), "$name: the view") or diag $seen;
	return $psql->wait;
}

$psql->query(q{SET hxpy.progress = on; SELECT py_open('s')});
$psql->query(q{SELECT py_exec('s', 'import time
def slowly(i):
    time.sleep(0.02)
    return i
def pause(batch):
    time.sleep(3)
    return batch')});

# a slow query, which fills no batch
my $result = run_slowly('slow query', q{SELECT py_define_grid('s', 'g', 'SELECT i, pg_sleep(0.06)::text FROM generate_series(1, 60) AS i')},
	qr/NOTICE:  00000: progress: \d+ of 60 \(\d+ %\): $rate, about \d+ s left$estimate/,
	qr/^\d+\|60\|$rate(, about \d+ s left)?$estimate$/);
is($result->{out}, 's', '... and its result');

# slow Python: all rows are sent
run_slowly('slow Python', q{SELECT count(*) FROM py_apply('s', 'pause', 'SELECT i FROM generate_series(1, 50) AS i') AS t(i int)},
	qr/NOTICE:  00000: progress: 50 of 50 \(100 %\): $rate$estimate/, qr/^50\|50\|/);

# slow functions, in batches
run_slowly('slow calls', q{SELECT sum(py_call('s', 'slowly', NULL::int, i)) FROM generate_series(1, 200) AS i},
	qr/NOTICE:  00000: progress: \d+ of 200 \(\d+ %\): $rate, about \d+ s left$estimate/, qr/^\d+\|200\|$rate/);

# a slow table, whose rows Python has counted
$psql->query(q{CREATE TABLE target (a bigint); CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN IF NEW.a % 5000 = 0 THEN PERFORM pg_sleep(0.4); END IF; RETURN NEW; END';
	CREATE TRIGGER wait BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION wait()});
run_slowly('slow table', q{SELECT py_eval_into('s', '__import__("pandas").DataFrame({"a": range(60000)})', 'target', 'append')},
	qr/NOTICE:  00000: progress: \d+ of 60000 \(\d+ %\): $rate(, \d+ s left)?$/m, qr/^\d+\|60000\|$rate(, \d+ s left)?$/);

# a cancel between two messages, and what comes after it is not told of what was before
$psql->send(q{SELECT py_define_grid('s', 'g', 'SELECT i, pg_sleep(0.05)::text FROM generate_series(1, 10000) AS i')});
ok($psql->wait_message(qr/NOTICE:  00000: progress: \d+ of 10000/, patience(30)), 'a message before a cancel');
$watcher->query('SELECT pg_cancel_backend(' . $psql->pid . ')');
like($psql->wait->{err}, qr/canceling statement/, 'the cancel');
is($psql->query(q{SELECT py_eval('s', '1'), pg_sleep(2.5)})->{err}, '', 'no message afterwards');

# another role sees nothing of it
$watcher->query('CREATE ROLE stranger; SET ROLE stranger');
is($watcher->query(q{SELECT count(*) FROM hxpy_stat_sessions WHERE progress_done IS NOT NULL OR progress_message IS NOT NULL})->{out}, '0', 'strangers see no progress');

hxpy_finish();
