# hxpy.eval_timeout and py_timeout: their clock runs while the backend waits for Python,
# not while PostgreSQL or the client takes its time; and it runs all the time where a
# stream is read into a store.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use List::Util qw(min);
use Test::More;
use Time::HiRes qw(time sleep);

my $node = hxpy_cluster('timeout');
my $psql = hxpy_psql($node, setup => ["SET hxpy.batch_size = '16kB'", q{SELECT py_open('s')}]);
my $limited = qr/canceling Python due to hxpy.eval_timeout.*DETAIL.*keeps its variables/s;

$psql->query($_) for <<'SQL', <<'SQL', <<'SQL', <<'SQL', 'CREATE TABLE slow (v int, pad text)', 'CREATE TABLE quick (v int)', <<'SQL';
SELECT py_exec('s', $py$
import itertools, time
import numpy as np, pandas as pd
from hxpy._tables import reader
def tables(count, rows=2, seconds=0):
    for i in range(count):
        time.sleep(seconds)
        yield pd.DataFrame({'v': [i] * rows})
def large(count):
    for i in range(count):
        yield pd.DataFrame({'v': [i], 'pad': ['x' * 1000000]})
def endless(rows):
    frame = pd.DataFrame({'v': np.arange(rows)})
    while True:
        yield frame
def same(frame):
    return frame[['v']]
def slow(frame):
    time.sleep(60)
add = reader.TableReader.add
def slow_add(self, batch):
    add(self, batch)
    time.sleep(60)
$py$)
SQL
CREATE FUNCTION slowly(v int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.002); RETURN true; END'
SQL
CREATE DOMAIN unhurried AS int CHECK (slowly(VALUE))
SQL
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(extract(epoch FROM current_setting(''hxpy.eval_timeout'')::interval) / 4); RETURN NEW; END'
SQL
CREATE TRIGGER wait BEFORE INSERT ON slow FOR EACH ROW EXECUTE FUNCTION wait()
SQL

# Where the machine is busy Python alone may take a second: the limit, and what takes longer.
my $limit = min(4, int(patience(1)));
my $pause = $limit / 4;
# A query that takes twice as long, and sends a batch of 16 kB for each row.
my $query = qq{\$\$SELECT i AS v, repeat('x', 20000) AS pad FROM (SELECT i, pg_sleep($pause) FROM generate_series(1, 8) AS i) AS s\$\$};
my $numbers = qq{\$\$SELECT i AS v FROM (SELECT i, pg_sleep($pause) FROM generate_series(1, 8) AS i) AS s\$\$};

# Fails at the limit of a second, and soon.
sub is_limited
{
	my ($sql, $name, $pattern) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $result = fails($psql, $sql, '57014', $pattern // $limited, $name);
	ok($result->{seconds} < patience(10), "... in time, $result->{seconds} s");
	gives($psql, q{SELECT py_eval('s', '6 * 7')}, '42', '... and the session works');
	return;
}

# ---- PostgreSQL takes its time

gives($psql, qq{SELECT py_define_grid('s', 'g', $query)}, 's', 'before there is a limit');
$psql->query("SET hxpy.eval_timeout = '${limit}s'");
gives($psql, qq{SELECT py_eval(py_define_grid('s', 'g', $query), 'len(g)')}, '8', 'a slow query under py_define_grid');
gives($psql, qq{SELECT py_eval(py_define_matrix('s', 'm', $numbers), 'len(m)')}, '8', 'under py_define_matrix');
gives($psql, qq{SELECT sum(v) FROM py_apply('s', 'same', $query) AS t(v int)}, '36', 'under py_apply');
gives($psql, qq{SELECT sum((t).v) FROM (SELECT t FROM py_apply('s', 'same', $query) AS t(v int)) AS s}, '36', 'under py_apply whose rows are stored');
gives($psql, q{SELECT py_eval_into('s', 'large(8)', 'slow', 'append')}, '8', 'a slow trigger under py_eval_into');
gives($psql, qq{SELECT count(pg_sleep($pause)) FROM py_eval_grid('s', 'large(8)') AS t(v int, pad text)}, '8', 'a slow query above py_eval_grid');
gives($psql, qq{SELECT py_eval(py_define_grid(py_timeout('s', '$limit s'), 'g', $query), 'len(g)')}, '8', 'a slow query and py_timeout');
$psql->query(q{SELECT py_timeout('s', NULL)});

# ---- the client takes its time

$psql->query(q{BEGIN; DECLARE c CURSOR FOR SELECT * FROM py_eval_grid('s', 'endless(1)') AS t(v int)});
for my $n (1 .. 3)
{
	gives($psql, 'FETCH 2 FROM c', "0\n0", "FETCH $n after a pause");
	sleep 1.2 * $limit;
}
gives($psql, 'COMMIT', '', 'the end of the cursor');
$psql->query(qq{BEGIN; DECLARE c CURSOR FOR SELECT v FROM py_apply('s', 'same', $query) AS t(v int)});
gives($psql, 'FETCH 2 FROM c', "1\n2", 'FETCH from py_apply');
sleep 1.5 * $limit;
gives($psql, 'FETCH ALL FROM c', join("\n", 3 .. 8), '... after a pause');
$psql->query('COMMIT');

# ---- Python takes its time

$psql->query("SET hxpy.eval_timeout = '1s'");
$psql->query(q{SELECT py_exec('s', 'reader.TableReader.add = slow_add')});
is_limited(qq{SELECT py_define_grid('s', 'g', $query)}, 'py_define_grid with slow Python');
is_limited(qq{SELECT py_define_matrix('s', 'g', $numbers)}, 'py_define_matrix with slow Python');
$psql->query(q{SELECT py_exec('s', 'reader.TableReader.add = add')});
is_limited(qq{SELECT v FROM py_apply('s', 'slow', $query) AS t(v int)}, 'py_apply with slow Python');
is_limited(qq{SELECT t FROM py_apply('s', 'slow', $query) AS t(v int)}, 'py_apply, stored, with slow Python');
is_limited(q{SELECT py_eval_into('s', 'tables(4, 1, 60)', 'quick', 'append')}, 'py_eval_into with slow Python');
is_limited(q{SELECT py_eval_into('s', 'tables(8, 1, 0.3)', 'quick', 'append')}, '... that is slow little by little');
is_limited(q{SELECT count(*) FROM py_eval_grid('s', 'tables(20, 1, 0.2)') AS t(v int)}, 'py_eval_grid with Python that is slow little by little');
is_limited(q{SELECT t FROM py_eval_grid('s', 'tables(20, 1, 0.2)') AS t(v int)}, '... and stored');
is_limited(q{SELECT py_eval(py_timeout('s', '1 s'), 'time.sleep(60)')}, 'py_timeout', qr/canceling Python due to the session's timeout/);
$psql->query(q{SELECT py_timeout('s', NULL)});
$psql->query(q{BEGIN; DECLARE c CURSOR FOR SELECT * FROM py_eval_grid('s', 'tables(60, 1, 0.3)') AS t(v int)});
gives($psql, 'FETCH 2 FROM c', "0\n1", 'FETCH from slow Python');
sleep 1.2;
gives($psql, 'FETCH FROM c', '2', '... after a pause');
fails($psql, 'FETCH 20 FROM c', '57014', $limited, '... what was waited for before counts');
$psql->query('ROLLBACK');

# ---- nothing but a store waits for the rows: all time counts

sub is_bounded
{
	my ($before, $sql, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$psql->query($before) if $before;
	is_limited($sql, $name);
	$psql->query('ROLLBACK') if $before;
	return;
}

is_bounded(q{BEGIN; DECLARE h CURSOR WITH HOLD FOR SELECT * FROM py_eval_grid('s', 'endless(10)') AS t(v unhurried)},
	'COMMIT', 'a cursor WITH HOLD on an endless generator');
is_bounded(q{BEGIN; DECLARE h SCROLL CURSOR WITH HOLD FOR SELECT pg_sleep(0.001) FROM py_eval_grid('s', 'endless(100)') AS t(v int)},
	'COMMIT', '... that can scroll');
is_bounded(q{BEGIN; DECLARE h CURSOR WITH HOLD FOR SELECT v FROM py_apply('s', 'lambda frame: endless(10)', 'SELECT 1 AS v') AS t(v unhurried); FETCH FROM h},
	'COMMIT', '... on py_apply, after a FETCH');
is_bounded('', q{DO $do$ DECLARE r record; BEGIN FOR r IN SELECT * FROM py_eval_grid('s', 'endless(10)') AS t(v unhurried) LOOP COMMIT; END LOOP; END $do$},
	'a loop with a COMMIT in it');
is_bounded('', q{SELECT py_eval('s', '1') FROM py_eval_grid('s', 'endless(10)') AS t(v unhurried)}, 'a session that is needed elsewhere');
is_bounded('', q{SELECT t FROM py_eval_grid('s', 'endless(10)') AS t(v unhurried)}, 'rows that are stored');
is_bounded('', q{SELECT t FROM py_apply('s', 'lambda frame: endless(10)', 'SELECT 1 AS v') AS t(v unhurried)}, 'rows of py_apply that are stored');
gives($psql, q{BEGIN; DECLARE h CURSOR WITH HOLD FOR SELECT * FROM py_eval_grid('s', 'tables(2)') AS t(v int); COMMIT; FETCH ALL FROM h; CLOSE h},
	"0\n0\n1\n1", 'a cursor WITH HOLD that has an end');

$psql->end;
hxpy_finish();
