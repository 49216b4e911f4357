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
EXPLAIN (COSTS OFF) EXECUTE gated(1);
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
