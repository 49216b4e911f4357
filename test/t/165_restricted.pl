# Security-restricted operations where processes matter: autovacuum, the first statement of
# a connection, a lost session, a pool, attacks by settings; no container is left.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = hxpy_cluster('restricted', "autovacuum_naptime = '1s'", 'autovacuum = off');
my $psql = hxpy_psql($node);

gives($psql, <<'END', 'made', 'a table of an ordinary role, with an index on a function');
GRANT USAGE ON LANGUAGE hxpy TO alice;
GRANT CREATE ON SCHEMA public TO alice;
SET check_function_bodies = off;
SET SESSION AUTHORIZATION alice;
CREATE TABLE public.item (id int, t text);
INSERT INTO item SELECT i, 'item ' || i % 10 FROM generate_series(1, 1000) AS i;
CREATE FUNCTION public.spell(t text) RETURNS text LANGUAGE hxpy IMMUTABLE AS $$
GD['calls'] = GD.get('calls', 0) + 1
return None if t is None else t.upper()
$$;
CREATE INDEX item_spell ON item (spell(t));
CREATE FUNCTION public.dies() RETURNS int LANGUAGE hxpy AS $$
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
$$;
CREATE FUNCTION public.calls() RETURNS int LANGUAGE hxpy AS $$ return GD.get('calls', 0) $$;
RESET SESSION AUTHORIZATION;
SELECT 'made'
END
ok(defined wait_gone($node, 10), 'building the index has left no container');

# ---- autovacuum

$node->append_conf('postgresql.conf', 'autovacuum = on');
$node->reload;
ok(wait_until(sub {
	$node->safe_psql('postgres', q{SELECT count(*) FROM pg_stats WHERE tablename = 'item_spell'
		AND array_to_string(most_common_vals::text::text[], ',') LIKE '%ITEM 3%'}) }, 30),
	'autovacuum analyzes the index');
$node->append_conf('postgresql.conf', 'autovacuum = off');
$node->reload;
ok(defined wait_gone($node, 20), 'and leaves no container');
unlike(slurp_file($node->logfile), qr/automatic analyze.*ERROR|ERROR:.*spell/s, 'nor an error');

# ---- one statement, and a transaction

for my $statement ('REINDEX TABLE item', 'ANALYZE item', 'CREATE MATERIALIZED VIEW seen AS SELECT public.calls()',
	'REFRESH MATERIALIZED VIEW seen', 'CLUSTER item USING item_spell')
{
	my $fresh = hxpy_psql($node);

	$fresh->query('SET SESSION AUTHORIZATION alice') if $statement =~ /VIEW/;
	gives($fresh, "$statement; SELECT count(*) FROM hxpy_stat_sessions", '0',
		"$statement, first in a connection, has closed its session");
	$fresh->query('\q');
}
gives($psql, <<'END', '0', 'each operation of a transaction has its own');
BEGIN;
SET LOCAL ROLE alice;
REINDEX TABLE item;
REFRESH MATERIALIZED VIEW seen;
COMMIT;
SELECT calls FROM seen
END
ok(defined wait_gone($node, 10), 'no container is left');

# ---- Python that dies

fails($psql, 'CREATE MATERIALIZED VIEW dead AS SELECT public.dies()', '08006', qr/was lost/, 'Python dies within');
gives($psql, 'REFRESH MATERIALIZED VIEW seen; SELECT count(*) FROM hxpy_stat_sessions', '0', 'the next one runs');
ok(defined wait_gone($node, 10), 'no container is left');

# ---- a cancel while its session starts, and while it runs

for my $limit (20, 100, 300, 600, 1000)
{
	$psql->query("SET statement_timeout = '${limit}ms'");
	$psql->query('REINDEX TABLE item');
	$psql->query('RESET statement_timeout');
	gives($psql, 'SELECT count(*) FROM hxpy_stat_sessions', '0', "no session after a time limit of $limit ms");
}
ok(defined wait_gone($node, 10), 'no container is left');

hxpy_finish($node);
