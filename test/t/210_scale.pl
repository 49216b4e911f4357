# One table on three servers: functions and py_apply run where the rows are, each server with
# a pool and a role of its own, and one statement gathers.  docs/scale.md tells how.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $rows = 30_000;

# What each server with a part of the table holds.
my $part = q{
	CREATE ROLE scorer LOGIN PASSWORD 'a secret' IN ROLE hxpy_user;
	GRANT USAGE ON LANGUAGE hxpy TO hxpy_user;
	CREATE TABLE reading (site int, id int, value float8);
	CREATE TABLE model (site int, name text, data bytea);
	GRANT SELECT ON reading TO scorer;
	GRANT SELECT, INSERT ON model TO scorer;
	CREATE FUNCTION score(value float8) RETURNS float8 STABLE STRICT LANGUAGE hxpy AS $$
		return GD['model'].score(value)
	$$;
	CREATE FUNCTION load_models() RETURNS void LANGUAGE hxpy AS $$
		plpy.execute("SELECT public.py_load('model', data) FROM public.model WHERE name = 'line'")
	$$;
	CREATE VIEW scored WITH (security_invoker) AS SELECT site, id, score(value) FROM reading;
	CREATE VIEW summary WITH (security_invoker) AS
		SELECT * FROM py_apply('lambda rows: rows.groupby("site").value.agg(["size", "sum"]).reset_index()', 'SELECT site, value FROM public.reading', whole => true)
			AS t(site int, readings bigint, total float8);
	CREATE VIEW slow WITH (security_invoker) AS SELECT site, py_eval('[__import__("time").sleep(30), 1][1]')::int AS value FROM reading WHERE id = 1;
	CREATE VIEW wrong WITH (security_invoker) AS SELECT site, py_eval('1 / 0')::int AS value FROM reading WHERE site = 2 AND id = 1;
	GRANT SELECT ON scored, summary, slow, wrong TO scorer;
	ALTER ROLE scorer SET hxpy.start_proc = 'public.load_models'};

my @servers;
for my $site (0 .. 2)
{
	my $node = hxpy_cluster("site_$site", q{shared_preload_libraries = 'hxpy'}, q{listen_addresses = '127.0.0.1'}, 'hxpy.pool_size = 1', "hxpy.uid_base = " . (300000 + 65536 * $site));
	my $hba = $node->data_dir . '/pg_hba.conf';
	my $rest = slurp_file($hba);
	unlink $hba;
	append_to_file($hba, "host all scorer 127.0.0.1/32 scram-sha-256\n$rest");
	$node->safe_psql('postgres', $part);
	$node->safe_psql('postgres', "INSERT INTO reading SELECT $site, i, i FROM generate_series(1, $rows) AS i");
	$node->reload;
	push @servers, $node;
}

# ---- the one that gathers

my $node = hxpy_cluster('gather', q{shared_preload_libraries = 'hxpy'});
$node->safe_psql('postgres', q{
	CREATE EXTENSION postgres_fdw;
	GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO alice;
	GRANT USAGE ON LANGUAGE hxpy TO hxpy_user;
	CREATE SCHEMA AUTHORIZATION alice});
my $psql = hxpy_psql($node, user => 'alice');
my %columns = (
	reading => 'site int, id int, value float8', model => 'site int, name text, data bytea',
	scored => 'site int, id int, score float8', summary => 'site int, readings bigint, total float8',
	slow => 'site int, value int', wrong => 'site int, value int');
$psql->query("CREATE TABLE $_ ($columns{$_}) PARTITION BY LIST (site)") for sort keys %columns;
for my $site (0 .. 2)
{
	my $port = $servers[$site]->port;
	$psql->query("CREATE SERVER site_$site FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$port', dbname 'postgres', async_capable 'true', fetch_size '10000')");
	$psql->query("CREATE USER MAPPING FOR alice SERVER site_$site OPTIONS (user 'scorer', password 'a secret')");
	for my $table (sort keys %columns)
	{
		$psql->query("CREATE FOREIGN TABLE ${table}_$site PARTITION OF $table FOR VALUES IN ($site) SERVER site_$site OPTIONS (schema_name 'public', table_name '$table')");
	}
}
gives($psql, 'SELECT count(*), sum(value) FROM reading', 3 * $rows . '|' . 3 * $rows * ($rows + 1) / 2, 'one table on three servers');

# A model that is trained here goes to all of them by its table.
$psql->query(q{DO LANGUAGE hxpy $$
import hxpy
class Line:
	def __init__(self, rows):
		self.slope = 2.0 * rows.value.max() / rows.id.max()
	def score(self, value):
		return self.slope * value
GD['line'] = Line(hxpy.sql('SELECT id, value FROM reading WHERE id <= 1000'))
$$});
gives($psql, q{WITH saved AS MATERIALIZED (SELECT py_save('line') AS data),
	sent AS (INSERT INTO model SELECT site, 'line', data FROM saved, generate_series(0, 2) AS site RETURNING site)
	SELECT count(*) FROM sent}, 3, 'a model goes to all three');

# ---- functions where the rows are

my $plan = $psql->query('EXPLAIN (VERBOSE, COSTS OFF) SELECT site, count(*), sum(score) FROM scored GROUP BY site')->{out};
is(() = $plan =~ /Async Foreign Scan/g, 3, 'the three servers work at the same time') or diag $plan;
gives($psql, 'SELECT count(*), sum(score) FROM scored', 3 * $rows . '|' . 3 * $rows * ($rows + 1), 'a function scores in a query, on all of them');
gives($psql, 'SELECT site, score FROM scored WHERE id = 7 ORDER BY site', "0|14\n1|14\n2|14", '... a condition goes to the servers');
gives($psql, 'SELECT site, readings, total FROM summary ORDER BY site', join("\n", map { "$_|$rows|" . $rows * ($rows + 1) / 2 } 0 .. 2), 'py_apply runs there, too');
gives($psql, 'SELECT sum(readings) FROM summary', 3 * $rows, '... and what it gives is gathered');
my $there = $servers[0]->safe_psql('postgres', q{SELECT string_agg(DISTINCT role, ',') FROM hxpy_stat_sessions});
is($there, 'scorer', 'the sessions are of the role there');
is(scalar(containers($node, 'default')), 1, '... and here is the one that has trained');

# ---- cancel and errors

sub sessions { return join ' ', map { $_->safe_psql('postgres', 'SELECT container FROM hxpy_stat_sessions') } @servers; }
my $before = sessions();
my $start = time;
fails($psql, q{BEGIN; SET LOCAL statement_timeout = '1s'; SELECT sum(value) FROM slow}, '57014', qr/statement timeout/, 'a timeout here');
cmp_ok(time - $start, '<', patience(8), '... ends Python there');
$psql->query('ROLLBACK');
ok(wait_until(sub { !grep { $_->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE usename = 'scorer' AND state = 'active'}) } @servers }, 10), '... on all three');
gives($psql, 'SELECT count(score) FROM scored', 3 * $rows, '... and then they work');
is(sessions(), $before, '... in the same sessions');
fails($psql, 'SELECT sum(value) FROM wrong', '38000', qr/ZeroDivisionError: division by zero.*CONTEXT:.*wrong/s, 'an error there has the words of Python here');
gives($psql, 'SELECT count(score) FROM scored', 3 * $rows, '... and loses nothing');
is(sessions(), $before, '... no session either');

# ---- a server that is not there

$servers[2]->stop('fast');
fails($psql, 'SELECT count(score) FROM scored', '08001', qr/could not connect to server "site_2"/, 'without one of them the whole fails');
gives($psql, 'SELECT count(score) FROM scored WHERE site < 2', 2 * $rows, '... and what does not need it works');
$servers[2]->start;
gives($psql, 'SELECT count(score) FROM scored', 3 * $rows, 'it comes back');
$psql->end;

hxpy_finish();
