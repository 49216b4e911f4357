# The same functions under PL/Python and under hxpy (test/plpython/functions.sql) give the
# same; 100,000 calls in flat memory; a dump restored where no engine answers.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = hxpy_cluster('plpython');
my $file = "$ENV{HXPY_TOP}/test/plpython/functions.sql";

# Run the file in a new database; returns what psql prints, messages too.
sub run_file
{
	my ($language) = @_;
	my $database = "with_$language";
	my $output;

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, "CREATE EXTENSION IF NOT EXISTS $_") for 'hxpy', $language;
	$node->safe_psql('postgres', "ALTER DATABASE $database SET hxpy.types = 'plpython'");
	IPC::Run::run([ 'psql', '-XqAd', $node->connstr($database), '-v', "lang=$language", '-f', $file ],
		'>&', \$output);
	return $output;
}

SKIP:
{
	skip 'no PL/Python here', 2
	  unless $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_available_extensions WHERE name = 'plpython3u'");
	my ($theirs, $ours) = map { run_file($_) } qw(plpython3u hxpy);
	my $count = () = slurp_file($file) =~ /^CREATE (FUNCTION|PROCEDURE)/mg;
	cmp_ok($count, '>=', 60, 'functions of all kinds');
	is($ours, $theirs, 'all give the same under both languages');
}

# ---- memory -----------------------------------------------------------------

my $psql = hxpy_psql($node);

gives($psql, <<'END', 'CREATE', 'functions to call');
CREATE FUNCTION plus(a int, b text) RETURNS text LANGUAGE hxpy AS $$ return b * (a % 3) $$;
CREATE FUNCTION memory() RETURNS bigint LANGUAGE hxpy AS $$
with open('/proc/self/statm') as file:
    return int(file.read().split()[1]) * 4096
$$;
CREATE FUNCTION used() RETURNS bigint LANGUAGE sql AS
  'SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts';
SELECT 'CREATE'
END
my $calls = hxpy_rounds(100_000);
gives($psql, <<"END", 'flat', "$calls calls take no memory, here nor there");
CREATE TABLE measured (backend bigint, worker bigint);
DO \$\$
BEGIN
  FOR i IN 1..$calls + 2000 LOOP
    PERFORM plus(i, 'abc');
    IF i IN (2000, $calls + 2000) THEN
      INSERT INTO measured SELECT used(), memory();
    END IF;
  END LOOP;
END \$\$;
SELECT CASE WHEN max(backend) - min(backend) < 300000 AND max(worker) - min(worker) < 3000000 THEN 'flat'
  ELSE array_agg(m)::text END FROM measured m
END

# ---- a dump -----------------------------------------------------------------

my $dump = "$PostgreSQL::Test::Utils::tmp_check/functions.sql";
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('with_hxpy') ], 'pg_dump');
$node->command_ok(
	[ 'env', "PGOPTIONS=-c hxpy.docker_host=unix:///nowhere", 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1',
		'-d', $node->connstr('restored'), '-f', $dump ],
	'it is restored where no engine answers');
is($node->safe_psql('restored', 'SELECT f_int4(21)'), '42', 'its functions run where one does');

hxpy_finish($node);
