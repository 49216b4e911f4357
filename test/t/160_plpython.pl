# The same functions under PL/Python and under hxpy (test/plpython/functions.sql) give the
# same; 100,000 calls, and cursors over 1,000,000 rows, in flat memory; a dump restored where
# an engine answers and where none does; transition tables in triggers of other languages.

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
	$node->safe_psql($database, 'CREATE EXTENSION jsonb_plpython3u') if $language eq 'plpython3u';
	$node->safe_psql('postgres', "ALTER DATABASE $database SET hxpy.types = 'plpython'");
	$node->safe_psql('postgres', "ALTER DATABASE $database SET hxpy.superuser_sql = on");
	IPC::Run::run([ 'psql', '-XqAd', $node->connstr($database), '-v', "lang=$language", '-f', $file ],
		'>&', \$output);
	return $output;
}

my $ours = run_file('hxpy');
my $count = () = slurp_file($file) =~ /^CREATE (FUNCTION|PROCEDURE)/mg;
cmp_ok($count, '>=', 60, 'functions of all kinds');
SKIP:
{
	skip 'no PL/Python here', 1
	  unless $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_available_extensions WHERE name = 'plpython3u'");
	my $theirs = run_file('plpython3u');
	# An error of SQL that is not caught is the query's own under hxpy.
	s/spiexceptions\.\w+: //g for $theirs, $ours;
	# Only hxpy has batches, from which VOLATILE functions are left out.
	$ours =~ s/^psql:.*NOTICE:  function "\w+" is VOLATILE, so that .*\n//mg;
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
  'SELECT sum(used_bytes)::bigint FROM pg_backend_memory_contexts';
CREATE FUNCTION modify() RETURNS trigger LANGUAGE hxpy AS $$
TD['new']['t'] = TD['new']['t'] + str(TD['new']['n'] % 3)
return 'MODIFY'
$$;
CREATE FUNCTION leave() RETURNS trigger LANGUAGE hxpy AS 'return None';
CREATE FUNCTION query(i int) RETURNS int LANGUAGE hxpy AS $$
return plpy.execute(f'SELECT {i} AS a, 2 AS b')[0]['a']
$$;
SET hxpy.superuser_sql = on;
CREATE TABLE measured (backend bigint, worker bigint);
CREATE TABLE changed (n int, t text, at timestamptz DEFAULT now());
CREATE TRIGGER modify BEFORE INSERT OR UPDATE ON changed FOR EACH ROW EXECUTE FUNCTION modify();
CREATE TRIGGER leave AFTER INSERT ON changed FOR EACH ROW EXECUTE FUNCTION leave();
SELECT 'CREATE'
END
my $calls = hxpy_rounds(100_000);
# Whether calls take no memory, here nor there; each is a statement with the loop's number, i.
# They are made in parts, as the limit of one of the test's statements is for a busy machine.
sub is_flat
{
	my ($statement, $rounds, $name) = @_;
	my $first = int($rounds / 20) + 100;

	$psql->must('TRUNCATE measured');
	my $end = 0;
	for my $last ($first, map { $first + int($rounds * $_ / 10) } 1 .. 10)
	{
		my $begin = $end + 1;
		$end = $last;
		$psql->must(<<"END");
DO \$\$
BEGIN
  FOR i IN $begin..$end LOOP
    $statement;
    IF i IN ($first, $rounds + $first) THEN
      INSERT INTO measured SELECT used(), memory();
    END IF;
    IF i % 100 = 0 THEN
      COMMIT;
    END IF;
  END LOOP;
END \$\$
END
	}
	gives($psql, <<'END', 'flat', $name);
SELECT CASE WHEN max(backend) - min(backend) < 300000 AND max(worker) - min(worker) < 3000000 AND count(*) = 2
  THEN 'flat' ELSE array_agg(m)::text END FROM measured m
END
}
is_flat("PERFORM plus(i, 'abc')", $calls, "$calls calls take no memory, here nor there");
my $queries = int($calls / 3);
is_flat('PERFORM query(i)', $queries, "nor do $queries queries of Python's");
is_flat(
	q{INSERT INTO changed SELECT g, 'x' FROM generate_series(1, 50) g; UPDATE changed SET n = -n; TRUNCATE changed},
	int($calls / 150) + 1, "nor do $calls calls of triggers");
my $body = 'return 1 #' . 'x' x 1000;
is_flat(
	"CREATE FUNCTION passing() RETURNS int LANGUAGE hxpy AS '$body'; PERFORM passing(); DROP FUNCTION passing()",
	hxpy_rounds(3_000), 'nor do functions that were dropped');

# A DataFrame is made while its rows come: they are not held besides.
gives($psql, <<'END', 'lean', 'a large query takes no more than its DataFrame');
CREATE FUNCTION growth(n int) RETURNS float8 LANGUAGE hxpy SET hxpy.session = 'lean' AS $$
import hxpy, resource
hxpy.sql('SELECT 1 AS i')
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
frame = hxpy.sql(f'SELECT i::int8 AS i, i::float8 AS x FROM generate_series(1, {n}) i')
return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / frame.memory_usage().sum()
$$;
SELECT CASE WHEN g < 1.6 THEN 'lean' ELSE g::text END FROM growth(4000000) AS g
END

my $rows = hxpy_rounds(1_000_000);
gives($psql, <<"END", 'flat', "cursors over $rows rows take no memory, here nor there");
SET hxpy.superuser_sql = on;
CREATE FUNCTION walk(n int, how text) RETURNS text LANGUAGE hxpy AS \$\$
import hxpy
def measure():
    plan = plpy.prepare('SELECT memory() AS worker, used() AS backend')
    return list(plan.execute()[0].values())
query = f"SELECT generate_series(1, {n}) AS i, repeat('text', 5) AS t"
most, count = [0, 0], 0
if how == 'rows':
    for row in plpy.cursor(query):
        count += 1
        if count % (n // 10) == 0:
            most = list(map(max, most, measure()))
else:
    for part in hxpy.sql_batches(query, rows=20000):
        count += len(part)
        most = list(map(max, most, measure()))
return f'{count} {most[0]} {most[1]}'
\$\$;
CREATE TABLE warm AS SELECT walk(40000, how) FROM unnest('{rows,parts}'::text[]) how;
CREATE TABLE walked AS SELECT how, i, string_to_array(walk(i * 40000, how), ' ')::bigint[] AS w
  FROM unnest('{rows,parts}'::text[]) how, unnest(ARRAY[1, $rows / 40000]) i;
SELECT CASE WHEN bool_and(w[1] = i * 40000) AND max(w[2]) - min(w[2]) < 20000000 AND max(w[3]) - min(w[3]) < 3000000 THEN 'flat'
  ELSE array_agg(t)::text END FROM walked t
END

# ---- transition tables in other languages -------------------------------------

# Bodies of a trigger function that has Python count and add up the rows of both transition
# tables: by a query of py_define_grid's, of Python's own and of py_apply's; a plan is kept.
my %trigger_in = (
	plpython3u => <<'END',
plpy.execute("SELECT py_define_grid('default', 'g', 'SELECT * FROM n')")
if 'plan' not in SD:
    SD['plan'] = plpy.prepare("INSERT INTO told SELECT py_eval('default', $1, NULL::text)", ['text'])
SD['plan'].execute(['told(g)'])
plpy.execute("INSERT INTO told SELECT * FROM py_apply('default', 'frame', 'SELECT * FROM o') AS t(t text)")
END
	plperl => <<'END',
spi_exec_query("SELECT py_define_grid('default', 'g', 'SELECT * FROM n')");
$_SHARED{plan} //= spi_prepare('INSERT INTO told SELECT py_eval(\'default\', $1, NULL::text)', 'text');
spi_exec_prepared($_SHARED{plan}, 'told(g)');
spi_exec_query("INSERT INTO told SELECT * FROM py_apply('default', 'frame', 'SELECT * FROM o') AS t(t text)");
return;
END
	pltcl => <<'END',
spi_exec {SELECT py_define_grid('default', 'g', 'SELECT * FROM n')}
if {![info exists GD(plan)]} {
  set GD(plan) [spi_prepare {INSERT INTO told SELECT py_eval('default', $1, NULL::text)} text]
}
spi_execp $GD(plan) {told(g)}
spi_exec {INSERT INTO told SELECT * FROM py_apply('default', 'frame', 'SELECT * FROM o') AS t(t text)}
return OK
END
);
my %is_here = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', 'SELECT name FROM pg_available_extensions');

$psql->must($_) for 'CREATE TABLE pair (a int)', 'CREATE TABLE told (t text)', <<'END';
SELECT py_exec('default', $$
import plpy
def told(rows):
    seen = plpy.execute('SELECT count(*) AS n, sum(a) AS a FROM n')[0]
    return f"{len(rows)} {sum(row['a'] for row in rows)}, {seen['n']} {seen['a']}"
def frame(rows):
    return [(f'{len(rows)} {rows.a.sum()} before',)]
$$)
END
for my $language (sort keys %trigger_in)
{
  SKIP:
	{
		skip "no $language here", 2 if !$is_here{$language};
		$psql->must($_) for "CREATE EXTENSION $language", 'TRUNCATE pair, told', 'INSERT INTO pair VALUES (1), (2)',
		  "CREATE FUNCTION pairs() RETURNS trigger LANGUAGE $language AS \$body\$\n$trigger_in{$language}\$body\$",
		  'CREATE TRIGGER pairs AFTER UPDATE ON pair REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION pairs()',
		  'UPDATE pair SET a = a * 10', 'UPDATE pair SET a = a + 1 WHERE a > 10';
		gives($psql, 'SELECT * FROM told', "2 30, 2 30\n2 3 before\n1 21, 1 21\n1 20 before",
			"queries of hxpy see the transition tables of a trigger in $language");
		fails($psql, q{SELECT py_eval('default', 'told([])')}, '42P01', qr/relation "n" does not exist/, '... and not after it');
		$psql->must('DROP FUNCTION pairs CASCADE');
	}
}

# ---- a dump -----------------------------------------------------------------

my $tmp = $PostgreSQL::Test::Utils::tmp_check;

# Dump a database; returns the text without what differs by chance.
sub dump_of
{
	my ($database) = @_;
	my $file = "$tmp/$database.sql";

	$node->command_ok([ 'pg_dump', '-f', $file, '-d', $node->connstr($database) ], "pg_dump of $database");
	my $text = slurp_file($file);
	$text =~ s/^\\(un)?restrict .*\n//mg;
	return ($file, $text);
}

# Restore a dump into a new database; returns psql's errors.
sub restore
{
	my ($file, $database, $options) = @_;
	my $errors;

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	IPC::Run::run([ 'env', "PGOPTIONS=$options", 'psql', '-Xq', '-d', $node->connstr($database), '-f', $file ],
		'>', \my $output, '2>', \$errors);
	return grep { /ERROR|FATAL/ } split /\n/, $errors;
}

# what is made in one of the languages only
$node->safe_psql('with_hxpy', <<'END');
CREATE EXTENSION hstore;
CREATE TRANSFORM FOR hstore LANGUAGE hxpy (FROM SQL WITH FUNCTION hxpy_transform(internal));
CREATE FUNCTION count_pairs(h hstore) RETURNS int LANGUAGE hxpy TRANSFORM FOR TYPE hstore AS $$ return len(h) $$;
END
my ($file_of_dump, $text) = dump_of('with_hxpy');
like($text, qr/LANGUAGE hxpy TRANSFORM FOR TYPE jsonb/, 'the dump has the transforms');

# Where no engine answers only what has to call a function fails, and says why.
my @errors = restore($file_of_dump, 'bare', '-c hxpy.docker_host=unix:///nowhere');
my @others = grep { !/could not connect to the Docker engine|the Docker engine/ } @errors;
is(join("\n", @others), '', 'restored where no engine answers, no error is about anything else');
cmp_ok(scalar @errors, '>=', 1, 'rows of a table with a constraint need one');
my $functions = 'SELECT count(*) FROM pg_proc p JOIN pg_language l ON l.oid = prolang WHERE lanname = \'hxpy\'';
is($node->safe_psql('bare', $functions), $node->safe_psql('with_hxpy', $functions), 'all functions are there');
is($node->safe_psql('bare', 'SELECT f_int4(21), count_pairs(\'a=>1, b=>2\')'), '42|2', 'they run where an engine answers');
is($node->safe_psql('bare', q{INSERT INTO short VALUES ('one'); REFRESH MATERIALIZED VIEW lengths; SELECT * FROM lengths}),
	'one|3', 'constraints and materialized views, too');

# Where one answers all is restored as it was.
is(join("\n", restore($file_of_dump, 'whole', '')), '', 'restored where an engine answers');
my (undef, $again) = dump_of('whole');
is($again, $text, 'its dump is the same');

hxpy_finish($node);
