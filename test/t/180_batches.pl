# Random queries (test/batch/generate) give the same with hxpy.batching on and off, also with
# forced JIT and in parallel plans; many rows go through batches in flat memory.
# HXPY_BATCH_QUERIES: how many queries (default 300), HXPY_BATCH_SEED: of which kind.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = hxpy_cluster('batches', "session_preload_libraries = 'hxpy'");
my $count = $ENV{HXPY_BATCH_QUERIES} || 300;
my $seed = $ENV{HXPY_BATCH_SEED} || 1;

$node->safe_psql('postgres', slurp_file("$ENV{HXPY_TOP}/test/batch/setup.sql"));

# Run queries under settings; returns the counts, and shows those that differ.
sub run_queries
{
	my ($seed, $count, $settings) = @_;
	my ($sql, $output);

	IPC::Run::run([ "$ENV{HXPY_TOP}/test/batch/generate", $seed, $count ], '>', \$sql)
	  or die 'no queries';
	IPC::Run::run([ 'psql', '-XqAtd', $node->connstr('postgres') ],
		'<', \"$settings;\n$sql", '>&', \$output);
	diag($output) if $output !~ / 0 differ\n$/;
	return $output;
}

my $jit = join('; ', map { "SET $_ = 0" } qw(jit_above_cost jit_inline_above_cost jit_optimize_above_cost));
my $parallel = join('; ',
	$node->pg_version >= 16 ? 'SET debug_parallel_query = on' : 'SET force_parallel_mode = on',
	map { "SET $_ = 0" } qw(parallel_setup_cost parallel_tuple_cost min_parallel_table_scan_size));

like(run_queries($seed, $count, 'SET jit = off'), qr/, 0 differ$/, "random queries give the same (seed $seed)");
like(run_queries($seed + 1, int($count / 6), $jit), qr/, 0 differ$/, 'so with forced JIT');
like(run_queries($seed + 2, int($count / 6), $parallel), qr/, 0 differ$/, 'so in parallel plans');

# ---- memory -----------------------------------------------------------------

my $psql = hxpy_psql($node);

my $rows = hxpy_rounds(1_000_000);

$node->safe_psql('postgres', <<'END');
CREATE FUNCTION used() RETURNS bigint LANGUAGE sql AS
  'SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts';
END
gives($psql, <<"END", 'flat', "$rows rows go through batches in flat memory");
SELECT CASE WHEN sum(n) > $rows AND max(used) - min(used) < 6000000 THEN 'flat' ELSE max(used) - min(used) || ' bytes' END
  FROM (SELECT i, f(i % 10, 1) + len_(up('a' || i)) AS n, CASE WHEN i % 20000 = 0 THEN used() END AS used
    FROM generate_series(1, $rows) AS i OFFSET 0) AS b
  WHERE i > 40000 OR used IS NULL
END
# Rows that become large all at once, and one that is by itself: results, arguments and what is carried along.
$node->safe_psql('postgres', <<'END');
CREATE FUNCTION size_at(i bigint, large int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT CASE WHEN i < 3000 THEN 1 ELSE large END';
CREATE FUNCTION many(n int) RETURNS text LANGUAGE hxpy STABLE AS $$ return 'x' * n $$;
END
sub peak { return slurp_file('/proc/' . $psql->pid . '/status') =~ /^VmHWM:\s*(\d+) kB/m ? $1 / 1024 : die 'no VmHWM' }
my $peak = peak();
gives($psql, <<'END', '3300|602|602', 'rows that become large all at once');
SELECT count(*), sum(len_(t)) / 500000, sum(length(t)) / 500000 FROM (SELECT repeat('x', size_at(i, 1000000)) AS t, g(1) FROM generate_series(1, 3300) AS i OFFSET 0) AS s
END
cmp_ok(peak() - $peak, '<', 100, 'so the backend holds some of them');
gives($psql, 'SELECT sum(length(many(100000000 + i))) FROM generate_series(1, 2) AS i', '200000003', 'results of 100 MB');
gives($psql, q{SELECT sum(len_(repeat('x', 100000000 + i))) FROM generate_series(1, 2) AS i}, '200000003', 'arguments of 100 MB');

# ---- encodings

for my $case ([latin1 => q{U&'\00e4\00e9', U&'\00dfx'}], [euc_jp => q{U&'\65e5\672c', U&'\8a9ex'}], [sql_ascii => q{'ab', 'x'}])
{
	my ($encoding, $texts) = @$case;
	$node->safe_psql('postgres', "CREATE DATABASE $encoding ENCODING '$encoding' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
	my $there = hxpy_psql($node, dbname => $encoding, setup => ['SET client_encoding = UTF8', 'CREATE EXTENSION IF NOT EXISTS hxpy']);
	$there->must($_) for "CREATE TABLE t AS SELECT unnest(ARRAY[$texts, '', NULL]) AS t",
	  q{CREATE FUNCTION up(t text) RETURNS text LANGUAGE hxpy STABLE AS 'return t and t.upper()'}, q{CREATE FUNCTION len_(t text) RETURNS int LANGUAGE hxpy STABLE STRICT AS 'return len(t)'},
	  q{CREATE FUNCTION mirrored(t text) RETURNS text LANGUAGE hxpy_batch STABLE AS 'return [x and x[::-1] for x in t]'},
	  q{CREATE FUNCTION beyond(t text) RETURNS text LANGUAGE hxpy STABLE AS 'return chr(0x20ac) + t'};
	like($there->query('EXPLAIN SELECT up(t) FROM t')->{out}, qr/hxpy calls/, "$encoding: calls are made in batches");
	my %results;
	for my $batching ('on', 'off')
	{
		$there->must("SET hxpy.batching = $batching");
		$results{$batching} = join "\n", map { my $result = $there->query("SELECT $_ FROM t"); $result->{state}, $result->{out} }
		  'up(t), up(mirrored(up(t))), len_(mirrored(t)), up(t) = t', 'beyond(t)';
	}
	is($results{on}, $results{off}, "$encoding: the same as a call a row");
	$there->end;
}
hxpy_finish($node);
