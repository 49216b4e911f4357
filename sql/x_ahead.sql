-- Calls in batches: large ones, of which the next is made while the current one is given out.
LOAD 'hxpy';
CREATE SCHEMA ahead;
SET search_path = ahead, public;
SET max_parallel_workers_per_gather = 0;
CREATE FUNCTION plus(a int, b int) RETURNS int LANGUAGE hxpy IMMUTABLE AS 'return None if a is None else a + b';
CREATE FUNCTION twice(a int) RETURNS int LANGUAGE hxpy STABLE STRICT AS 'return a * 2';
CREATE FUNCTION up(t text) RETURNS text LANGUAGE hxpy STABLE AS 'return t and t.upper()';
CREATE FUNCTION limited(a int, b int) RETURNS int LANGUAGE hxpy STABLE AS $$
if a > b:
    raise ValueError('too large')
return a
$$;
-- the same with and without batches, of several sizes
CREATE FUNCTION digest(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  r record;
  n int := 0;
  result text := '';
BEGIN
  FOR r IN EXECUTE query LOOP
    n := n + 1;
    result := md5(result || r::text);
  END LOOP;
  RETURN n || ' ' || result;
EXCEPTION WHEN OTHERS THEN
  RETURN n || ' ' || SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE FUNCTION agrees(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  results text[];
BEGIN
  results := ARRAY[digest(query)];
  SET LOCAL hxpy.batch_rows = 700;
  results := results || digest(query);
  SET LOCAL hxpy.batch_rows = 4096;
  SET LOCAL hxpy.batching = off;
  results := results || digest(query);
  SET LOCAL hxpy.batching = on;
  RETURN CASE WHEN results[1] = ALL (results) THEN regexp_replace(results[1], ' [0-9a-f]{32}', '') ELSE results::text END;
END $$;
CREATE TABLE t AS SELECT i, nullif(i % 7, 3) AS x, 'text ' || i AS s FROM generate_series(1, 4000) AS i;
ANALYZE t;
SELECT agrees('SELECT i, plus(x, i), up(s) FROM t');
SELECT agrees('SELECT i, plus(twice(x), twice(x + i)) FROM t WHERE twice(i) % 3 = 1');
SELECT agrees('SELECT plus(x, 1), count(*), sum(twice(i)) FROM t GROUP BY 1 ORDER BY 1');
SELECT agrees('SELECT i, limited(i, 3000), s FROM t');
SELECT agrees('SELECT a.i, plus(a.i, b.i) FROM t AS a JOIN t AS b ON a.i = b.i + 1 AND twice(a.x) >= b.x');
-- what else needs the session, in the middle
SELECT agrees('SELECT plus(i, 1), py_eval($$default$$, $$1 + 1$$) FROM t WHERE i <= 1000');
SELECT agrees('SELECT (SELECT sum(twice(i)) FROM generate_series(1, 3) AS i WHERE i <= t.x) FROM t WHERE plus(i, 0) < 1000');
SELECT agrees('SELECT t.i, r.v FROM t, LATERAL (SELECT twice(j) AS v FROM generate_series(1, t.x) AS j) AS r WHERE plus(t.i, 1) < 1000');
-- whoever stops early leaves Python free
SELECT sum(v) FROM (SELECT twice(i) AS v FROM t WHERE plus(i, 0) > 1500 LIMIT 1000) AS l;
BEGIN;
DECLARE c NO SCROLL CURSOR FOR SELECT i, twice(i) FROM t ORDER BY i;
MOVE 700 FROM c;
SELECT py_eval('1');
FETCH 1 FROM c;
SAVEPOINT a;
SELECT limited(5, 1);
ROLLBACK TO a;
MOVE 1000 FROM c;
FETCH 1 FROM c;
CLOSE c;
COMMIT;
SELECT py_eval('1');
-- SQL runs at its place
CREATE ROLE ahead_user;
GRANT ALL ON SCHEMA ahead TO ahead_user;
GRANT ALL ON t TO ahead_user;
GRANT USAGE ON LANGUAGE hxpy TO ahead_user;
SET SESSION AUTHORIZATION ahead_user;
CREATE FUNCTION asks(a int) RETURNS int LANGUAGE hxpy STABLE AS $$
return plpy.execute(f'SELECT x FROM t WHERE i = {a}')[0]['x'] if a % 1000 == 999 else a
$$;
SELECT agrees('SELECT i, asks(i) FROM t');
RESET SESSION AUTHORIZATION;
-- a cancel in the middle
CREATE FUNCTION slow(a int) RETURNS int LANGUAGE hxpy STABLE AS $$
import time
if a > 1000:
    time.sleep(0.01)
return a
$$;
SET statement_timeout = '1s';
SELECT count(slow(i)) FROM t;
RESET statement_timeout;
SELECT py_eval('1');
\set VERBOSITY terse
DROP SCHEMA ahead CASCADE;
REVOKE USAGE ON LANGUAGE hxpy FROM ahead_user;
DROP ROLE ahead_user;
