-- Calls in batches, after x_guards: cursors, subplans, plans that last, what stays a call a row.
LOAD 'hxpy';       -- or the first query would be planned without it
SET search_path = batches, public;
SET max_parallel_workers_per_gather = 0;
-- 22: cursors
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id, noted(x) FROM r ORDER BY id;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
FETCH LAST FROM c;
FETCH FIRST FROM c;
SELECT seen();
DECLARE h CURSOR WITH HOLD FOR SELECT id, g(x) FROM r ORDER BY id;
FETCH 1 FROM h;
COMMIT;
FETCH 2 FROM h;
CLOSE h;
BEGIN;
DECLARE n NO SCROLL CURSOR FOR SELECT noted(id) FROM generate_series(1, 1000) AS id;
FETCH 3 FROM n;
SELECT array_length(seen(), 1);
MOVE 20 FROM n;
FETCH 1 FROM n;
SELECT array_length(seen(), 1);
-- a row that fails later
DECLARE e NO SCROLL CURSOR FOR SELECT id, fails(id) FROM generate_series(1, 5) AS id;
FETCH 2 FROM e;
SAVEPOINT a;
FETCH 1 FROM e;
ROLLBACK TO a;
COMMIT;
BEGIN;
DECLARE u CURSOR FOR SELECT id, g(x) FROM r;
FETCH 2 FROM u;
UPDATE r SET y = y + 1 WHERE CURRENT OF u;
DECLARE l CURSOR FOR SELECT id, g(x) FROM r WHERE id < 5 FOR UPDATE;
FETCH 2 FROM l;
UPDATE r SET y = y + 1 WHERE CURRENT OF l;
SELECT id, y FROM r WHERE y % 10 = 2 OR y % 10 = 1 ORDER BY id;
ROLLBACK;
-- 23: subplans, LATERAL, recursion, merge joins
SELECT * FROM compare('SELECT id, (SELECT sum(f(s.v, r.x)) FROM s WHERE s.id <= r.id) FROM r');
SELECT * FROM compare('SELECT id FROM r WHERE g(x) IN (SELECT g(v) / 100 FROM s)');
SELECT * FROM compare('SELECT id FROM r WHERE NOT EXISTS (SELECT FROM s WHERE s.id = r.id AND g(s.v) > r.id * 100)');
SELECT * FROM compare('SELECT id, g((SELECT max(id) FROM s)), g((SELECT max(s.id) FROM s WHERE s.id < r.id)) FROM r');
SELECT * FROM compare('SELECT r.id, l.v FROM r, LATERAL (SELECT g(i + r.id) AS v FROM generate_series(1, 20) AS i) AS l WHERE l.v % 8 = 0');
SELECT * FROM compare('WITH RECURSIVE w AS (SELECT 1 AS i, g(1) AS v UNION ALL SELECT i + 1, f(v, g(i)) FROM w WHERE i < 20) SELECT i, g(v) FROM w');
SELECT * FROM compare('SELECT * FROM (SELECT id, g(x) AS v FROM r UNION ALL SELECT id, f(v, 1) FROM s) AS a WHERE g(id) > 6 ORDER BY 1, 2');
SET enable_hashjoin = off;
SET enable_nestloop = off;
SELECT * FROM compare('SELECT a.v, b.v FROM (SELECT g(id) AS v FROM r) AS a JOIN (SELECT f(id, id) AS v FROM s ORDER BY id) AS b ON a.v = b.v ORDER BY 1');
RESET enable_hashjoin;
RESET enable_nestloop;
-- 24: a prepared statement, a replaced function, JIT, parallel plans, small batches
PREPARE p(int) AS SELECT g(x) + $1, up(t) FROM r WHERE f(x, $1) > 2 ORDER BY id;
SET plan_cache_mode = force_generic_plan;
EXECUTE p(1);
CREATE OR REPLACE FUNCTION g(a int) RETURNS int LANGUAGE hxpy IMMUTABLE STRICT AS 'return a * 3';
EXECUTE p(1);
EXPLAIN (COSTS OFF) EXECUTE p(1);
CREATE OR REPLACE FUNCTION g(a int) RETURNS int LANGUAGE hxpy VOLATILE STRICT AS 'return a * 3';
EXPLAIN (COSTS OFF) EXECUTE p(1);
SET hxpy.batching = off;
EXPLAIN (COSTS OFF) EXECUTE p(1);
RESET hxpy.batching;
CREATE OR REPLACE FUNCTION g(a int) RETURNS int LANGUAGE hxpy IMMUTABLE STRICT AS 'return a * 2';
RESET plan_cache_mode;
SET jit_above_cost = 0;
SET jit_inline_above_cost = 0;
SET jit_optimize_above_cost = 0;
SET hxpy.batch_rows = 3;
SELECT * FROM compare('SELECT g(i), sum(f(i, g(i + 1))) FROM generate_series(1, 40) AS i WHERE g(i) % 5 = 0 GROUP BY 1 ORDER BY 1');
RESET jit_above_cost;
RESET jit_inline_above_cost;
RESET jit_optimize_above_cost;
SET hxpy.types = plpython;
SELECT * FROM compare('SELECT f(g(x), g(y)), up(up(t)), texts(id + 10) FROM r');
SET hxpy.types = native;
SET hxpy.batch_rows = 4096;
CREATE FUNCTION restricted(a int) RETURNS int LANGUAGE hxpy STABLE PARALLEL RESTRICTED AS 'return a';
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT id, restricted(id) FROM r;
SELECT * FROM compare('SELECT id, restricted(id) FROM r ORDER BY id');
SELECT * FROM compare('SELECT sum(id), restricted(x) FROM r GROUP BY x HAVING restricted(max(id)::int) > 1 ORDER BY 1');
SET max_parallel_workers_per_gather = 0;
-- 25: what is volatile, sets, windows, indexes, PL/pgSQL
CREATE FUNCTION counted(a int) RETURNS int LANGUAGE hxpy AS $$
SD['n'] = SD.get('n', 0) + 1
return SD['n'] * 100 + a
$$;
EXPLAIN (COSTS OFF, VERBOSE) SELECT counted(id) FROM r;
SET hxpy.batch_volatile = on;
EXPLAIN (COSTS OFF, VERBOSE) SELECT counted(id), counted(id), f(counted(id), 0) FROM r;
SELECT counted(id), counted(id) > 0 FROM r;
RESET hxpy.batch_volatile;
CREATE SEQUENCE numbers;
SELECT nextval('numbers'), g(id), f(nextval('numbers')::int, 0) FROM r ORDER BY id LIMIT 2;
SELECT nextval('numbers');
SELECT * FROM compare('SELECT g(id), generate_series(1, g(2)), f(id, generate_series(1, 2)) FROM r WHERE id < 3');
SELECT * FROM compare('SELECT id, sum(f(id, y)) OVER (ORDER BY id), lag(g(id)) OVER (ORDER BY g(-id)), g(row_number() OVER (ORDER BY id)::int) FROM r ORDER BY id');
SELECT * FROM compare('SELECT id, sum(fails(id)) OVER (ORDER BY id ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING) FROM r WHERE id > 2');
DO $$
DECLARE
  v int := g(3);
  n int := 0;
  r record;
BEGIN
  v := f(v, g(v));
  FOR r IN SELECT id, fails(id) AS x FROM generate_series(1, 50) AS id LOOP
    n := n + r.x;
  END LOOP;
EXCEPTION WHEN external_routine_exception THEN
  RAISE NOTICE '%: % %', SQLERRM, v, n;
  RAISE NOTICE '%', (SELECT sum(g(id)) FROM s);
END $$;
CREATE FUNCTION sleeps(a int) RETURNS int LANGUAGE hxpy STABLE AS $$
import time
time.sleep(0.05 if a > 20 else 0)
return a
$$;
SET statement_timeout = '400ms';
SELECT count(sleeps(i)) FROM generate_series(1, 10000) AS i;
RESET statement_timeout;
SELECT g(id) FROM s;
-- other settings than the query was planned with; a session of its own
SELECT py_close();
SET hxpy.session = 'other';
SELECT sum(g(id)) FROM s;
SELECT session FROM py_sessions() ORDER BY 1;
RESET hxpy.session;
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA batches CASCADE;
REVOKE USAGE ON LANGUAGE hxpy FROM batch_user;
DROP ROLE batch_user;
