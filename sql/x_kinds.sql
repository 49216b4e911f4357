-- Calls in batches, after x_guards: more kinds of plans.
LOAD 'hxpy';       -- or the first query would be planned without it
SET search_path = batches, public;
SET max_parallel_workers_per_gather = 0;
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query;
END $$;
-- windows that know when to stop
SELECT * FROM compare('SELECT * FROM (SELECT y, id, g(id), row_number() OVER (ORDER BY id) AS n FROM r) AS w WHERE n <= 2');
SELECT * FROM compare('SELECT * FROM (SELECT g(id), rank() OVER (PARTITION BY x % 2 ORDER BY id) AS n, g(id + 1), sum(g(id)) OVER (ORDER BY id) FROM r) AS w WHERE n <= 1 ORDER BY 1');
SELECT * FROM compare('SELECT * FROM (SELECT f(id, count(*) OVER w::int), count(*) OVER w AS n FROM r WINDOW w AS (ORDER BY id)) AS w WHERE n < 4 AND g(n::int) > 2');
-- ... and make no call for the row that told them, which would fail without batches
SELECT * FROM (SELECT fails(id) AS v, row_number() OVER (PARTITION BY id ORDER BY id) AS n FROM r) AS w WHERE n <= 0;
-- merge joins go back in their inner side, also through a node that only asks whether there is any
CREATE TABLE pairs (a int, b int);
INSERT INTO pairs SELECT i % 50, i FROM generate_series(1, 2000) AS i;
CREATE INDEX ON pairs (a);
CREATE TABLE firsts AS SELECT i % 30 AS a FROM generate_series(1, 60) AS i;
CREATE INDEX ON firsts (a);
ANALYZE pairs, firsts;
SET enable_hashjoin = off;
SET enable_nestloop = off;
SET enable_sort = off;
SET enable_material = off;
SET enable_bitmapscan = off;
SET enable_seqscan = off;
SET plan_cache_mode = force_generic_plan;
PREPARE gated(int) AS SELECT count(*), sum(b) FROM firsts LEFT JOIN (SELECT a, b FROM pairs WHERE $1 > 0 AND g(b) > 2) AS p USING (a);
EXECUTE gated(1);
EXECUTE gated(0);
RESET enable_hashjoin;
RESET enable_nestloop;
RESET enable_sort;
RESET enable_material;
RESET enable_bitmapscan;
RESET enable_seqscan;
RESET plan_cache_mode;
-- who reads ahead does not reach the error of a call below
SELECT plan_of('SELECT v, g(v) FROM (SELECT fails(id) AS v FROM r) AS l WHERE g(v) < 0 LIMIT 1');
SELECT * FROM compare('SELECT v, g(v) FROM (SELECT fails(id) AS v FROM r) AS l WHERE g(v) < 0 LIMIT 1');
SELECT * FROM compare('SELECT v, g(v) FROM (SELECT fails(id) AS v FROM r OFFSET 0) AS l WHERE g(v) < 0 LIMIT 1');
SELECT * FROM compare('SELECT v, g(v) FROM (SELECT fails(id) AS v, generate_series(1, 2) FROM r) AS l WHERE g(v) < 0 LIMIT 3');
-- a cursor whose message was broken off by another statement asks anew
CREATE FUNCTION sleepy(a int) RETURNS int LANGUAGE hxpy STABLE AS $$
import time
slept = SD.setdefault('slept', 0)
time.sleep(0 if a < 600 or slept > 20 else 0.05)
SD['slept'] = slept + (a >= 600)
return a
$$;
BEGIN;
DECLARE c NO SCROLL CURSOR FOR SELECT i, sleepy(i) FROM generate_series(1, 3000) AS i;
MOVE 400 FROM c;
SAVEPOINT a;
SET LOCAL statement_timeout = '100ms';
SELECT py_eval('1');
ROLLBACK TO a;
SELECT py_exec('default', 'pass') IS NOT NULL AS alive;
MOVE 1000 FROM c;
FETCH 1 FROM c;
COMMIT;
-- functions that are changed while a cursor calls them: a role is that of one function only
CREATE FUNCTION changing(a int) RETURNS int LANGUAGE hxpy STABLE AS 'return a';
BEGIN;
DECLARE c NO SCROLL CURSOR FOR SELECT changing(i), g(i) FROM generate_series(1, 1000) AS i;
FETCH 1 FROM c;
CREATE OR REPLACE FUNCTION changing(a int) RETURNS int LANGUAGE hxpy STABLE AS 'return -a';
MOVE 20 FROM c;
FETCH 1 FROM c;
ALTER FUNCTION changing SECURITY DEFINER;
MOVE 100 FROM c;
ROLLBACK;
SELECT * FROM compare('SELECT changing(id), g(id) FROM r');
-- parallel plans; cursors run them without workers, in which there are no sessions
CREATE FUNCTION safe(a int) RETURNS int LANGUAGE hxpy IMMUTABLE PARALLEL SAFE AS 'return a and a * 2';
CREATE FUNCTION bound_up(a int) RETURNS int LANGUAGE hxpy STABLE PARALLEL RESTRICTED AS 'return a and a + 1';
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT plan_of('SELECT max(b), bound_up(a) FROM pairs WHERE safe(a) > 90 AND bound_up(b) > 12 GROUP BY a ORDER BY 2');
SELECT * FROM compare('SELECT max(b), bound_up(a) FROM pairs WHERE safe(a) > 90 AND bound_up(b) > 12 GROUP BY a ORDER BY 2');
SELECT plan_of('SELECT safe(a), sum(safe(b)), count(*) FILTER (WHERE safe(b) > 100) FROM pairs GROUP BY 1 ORDER BY 1 LIMIT 3');
SELECT * FROM compare('SELECT safe(a), sum(safe(b)), count(*) FILTER (WHERE safe(b) > 100) FROM pairs GROUP BY 1 ORDER BY 1 LIMIT 3');
SET jit_above_cost = 0;
SET jit_inline_above_cost = 0;
SET jit_optimize_above_cost = 0;
SELECT * FROM compare('SELECT sum(safe(b)), max(bound_up(a)) FROM pairs WHERE safe(a) > 10 AND bound_up(a) > 12');
SELECT * FROM compare('SELECT CASE WHEN a > 20 THEN g(b) ELSE f(a, b) END AS c, count(*) FROM pairs WHERE g(b) % 7 = 1 OR f(a, 1) = 3 GROUP BY 1 ORDER BY 1 LIMIT 3');
RESET jit_above_cost;
RESET jit_inline_above_cost;
RESET jit_optimize_above_cost;
SET max_parallel_workers_per_gather = 0;
-- foreign tables, whose scans an Append runs beside each other
CREATE EXTENSION postgres_fdw;
DO $$ BEGIN EXECUTE format('CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname %L, port %L, host %L, async_capable %L)',
  current_database(), current_setting('port'), split_part(current_setting('unix_socket_directories'), ',', 1), 'true'); END $$;
CREATE USER MAPPING FOR CURRENT_USER SERVER here;
CREATE TABLE far (k int, v int) PARTITION BY RANGE (k);
CREATE FOREIGN TABLE far1 PARTITION OF far FOR VALUES FROM (0) TO (25) SERVER here OPTIONS (schema_name 'batches', table_name 'pairs1');
CREATE FOREIGN TABLE far2 PARTITION OF far FOR VALUES FROM (25) TO (100) SERVER here OPTIONS (schema_name 'batches', table_name 'pairs2');
CREATE TABLE pairs1 AS SELECT a AS k, b AS v FROM pairs WHERE a < 25;
CREATE TABLE pairs2 AS SELECT a AS k, b AS v FROM pairs WHERE a >= 25;
SELECT plan_of('SELECT sum(v) FROM far WHERE g(v) > 3000');
SELECT * FROM compare('SELECT sum(v) FROM far WHERE g(v) > 3000');
SELECT plan_of('SELECT k, g(v) FROM far');
SELECT * FROM compare('SELECT sum(g), max(k) FROM (SELECT k, g(v) FROM far OFFSET 0) AS s');
SELECT plan_of('UPDATE far SET v = g(v) WHERE f(k, 0) = 30');
SELECT * FROM compare('UPDATE far SET v = g(v) WHERE f(k, 0) = 30', 'SELECT k, sum(v) FROM far WHERE k IN (29, 30) GROUP BY k ORDER BY k');
DROP SERVER here CASCADE;
DROP EXTENSION postgres_fdw;
-- statements with several tables, RETURNING
SELECT plan_of('CREATE TABLE made AS SELECT g(a), count(*) FROM pairs GROUP BY 1');
SELECT plan_of('INSERT INTO s SELECT g(b) + 100, f(a, b) FROM pairs WHERE g(b) = 8');
SELECT plan_of('UPDATE r SET x = f(s.v, r.y) FROM s WHERE s.id = r.id AND g(s.v) > 200 RETURNING r.id, g(r.x)');
SELECT * FROM compare('UPDATE r SET x = f(s.v, r.y) FROM s WHERE s.id = r.id AND g(s.v) > 200 RETURNING r.id, g(r.x)', 'SELECT * FROM r ORDER BY id');
SELECT plan_of('DELETE FROM r USING s WHERE r.id = s.id AND g(s.v) = 400');
SELECT plan_of('MERGE INTO s USING (SELECT id, g(x) AS x FROM r) AS q ON s.id = q.id AND g(s.v) > 200 WHEN MATCHED THEN UPDATE SET v = g(q.x)');
SELECT plan_of('UPDATE parts SET v = g(v) WHERE g(k) > 4');
