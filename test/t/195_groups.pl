# Groups of py_apply and py_agg: a cancel, a timeout and a session that ends in the middle of one
# leave what they should; many of them, and what is sorted for them, take flat memory.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use Test::More;

my $node = hxpy_cluster('groups', "session_preload_libraries = 'hxpy'");
my $other = hxpy_psql($node);
my $psql = hxpy_psql($node);
my $pid = $psql->pid;

$node->safe_psql('postgres', <<'END');
CREATE FUNCTION used() RETURNS bigint LANGUAGE sql AS
  'SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts';
END

sub prepare
{
	$psql->query(q{SELECT py_open('s')});
	$psql->query(<<'END');
SELECT py_exec('s', $py$
import os, time
kept = 42
def resident():
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * 4096
def stops(df):
    if df.k[0] == 700:
        print('ready')
        time.sleep(60)
    return [(len(df),)]
def dies(df):
    if df.k[0] == 700:
        os._exit(3)
    return [(len(df),)]
$py$)
END
	return;
}

prepare();

# ---- in the middle of a group, of many that share a batch, and of one that has many

my %query = (
	'many small ones' => q{SELECT i / 10 AS k, i AS v FROM generate_series(1, 100000) AS i},
	'large ones' => q{SELECT i / 100000 + 699 AS k, i AS v FROM generate_series(1, 300000) AS i});

for my $name (sort keys %query)
{
	my $apply = sub { return "SELECT count(*), sum(n) FROM py_apply('s', '$_[0]', '$query{$name}', by => 'k') AS t(n int)"; };

	$psql->send($apply->('stops'));
	$psql->wait_message(qr/ready/, 60) or die 'no group came';
	$other->query("SELECT pg_cancel_backend($pid)");
	fails($psql, $psql->wait, '57014', qr/canceling statement due to user request.*DETAIL.*keeps its variables/s, "$name: pg_cancel_backend");
	gives($psql, q{SELECT py_eval('s', 'kept')}, '42', "$name: the session keeps its variables");
	fails($psql, q{SET hxpy.eval_timeout = '1s'; } . $apply->('stops'), '57014', qr/hxpy.eval_timeout/, "$name: hxpy.eval_timeout");
	$psql->query('RESET hxpy.eval_timeout');
	gives($psql, q{SELECT py_eval('s', 'kept')}, '42', "$name: and after a timeout");
	fails($psql, $apply->('dies'), '08006', qr/Python has ended|was lost/, "$name: Python ends");
	$psql->query(q{SELECT py_close('s')});
	prepare();
	gives($psql, $apply->('lambda df: [(len(df),)]'), $name eq 'large ones' ? '4|300000' : '10001|100000', "$name: then all is well");
}
$psql->send(q{SELECT count(py_agg) FROM (SELECT py_agg('s', 'lambda k: print("ready") or time.sleep(60) if k[0] == 700 else len(k)', i / 10) FROM generate_series(1, 100000) AS i GROUP BY i / 10) AS q});
$psql->wait_message(qr/ready/, 60) or die 'no group came';
$other->query("SELECT pg_cancel_backend($pid)");
fails($psql, $psql->wait, '57014', qr/canceling statement due to user request/, 'py_agg: pg_cancel_backend');
gives($psql, q{SELECT py_eval('s', 'kept')}, '42', 'py_agg: the session keeps its variables');
fails($psql, q{SELECT count(py_agg) FROM (SELECT py_agg('s', 'lambda k: os._exit(3) if k[0] == 700 else len(k)', i / 10) FROM generate_series(1, 100000) AS i GROUP BY i / 10) AS q},
	'08006', qr/was lost/, 'py_agg: Python ends');
$psql->query(q{SELECT py_close('s')});
prepare();

# ---- memory

my $rows = hxpy_rounds(100_000);

gives($psql, <<"END", 't|t', "groups of $rows rows take flat memory, in the backend and in Python");
SELECT sum(n) = $rows, max(used) - min(used) < 6000000 AND max(resident) - min(resident) < 60000000
  FROM (SELECT n, resident, CASE WHEN row_number() OVER () % 1000 = 0 THEN used() END AS used
    FROM py_apply('s', 'lambda k, t: [(len(k), resident() if k[0] > 1000 else None)]', 'SELECT i / 20 AS k, repeat(''x'', 100) AS t FROM generate_series(1, $rows) AS i', true, by => 'k')
      AS t(n int, resident int8)) AS q
END
$rows *= 5;
gives($psql, <<"END", 't|t', 'and so do groups that are larger than a batch');
SELECT sum(n) = $rows, max(resident) - min(resident) < 60000000
  FROM py_apply('s', 'lambda df: [(len(df), resident())]', 'SELECT i / 50000 AS k, repeat(''x'', 50) AS t FROM generate_series(1, $rows) AS i', by => 'k')
      AS t(n int, resident int8)
END
hxpy_finish($node);
