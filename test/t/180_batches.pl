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
hxpy_finish($node);
