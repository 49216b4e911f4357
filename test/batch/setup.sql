-- Functions, tables and the procedure that test/batch/generate's queries use.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS hxpy;
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN even AS int CHECK (VALUE % 2 = 0);
CREATE FUNCTION f(a int, b int) RETURNS int LANGUAGE hxpy IMMUTABLE AS 'return None if a is None else (a + (b or 0)) % 1000';
CREATE FUNCTION g(a int) RETURNS int LANGUAGE hxpy IMMUTABLE STRICT AS 'return a * 2 % 1000';
CREATE FUNCTION up(t text) RETURNS text LANGUAGE hxpy STABLE AS 'return t and t.upper()[:20]';
CREATE FUNCTION len_(t text) RETURNS int LANGUAGE hxpy STABLE STRICT AS 'return len(t)';
CREATE FUNCTION half(a float8) RETURNS float4 LANGUAGE hxpy IMMUTABLE AS 'return None if a is None else a / 3';
CREATE FUNCTION half(a float4) RETURNS float8 LANGUAGE hxpy IMMUTABLE STRICT AS 'return a / 3';
CREATE FUNCTION trunc_(a float8) RETURNS int LANGUAGE hxpy STABLE STRICT AS 'return int(a) % 1000';
CREATE FUNCTION num(a numeric) RETURNS numeric LANGUAGE hxpy STABLE STRICT AS 'return a + 1';
CREATE FUNCTION is_odd(a int) RETURNS bool LANGUAGE hxpy STABLE AS 'return None if a is None else a % 2 == 1';
CREATE FUNCTION show(a int, b numeric, c float8) RETURNS text LANGUAGE hxpy STABLE AS 'return repr((a, b, c))';
CREATE FUNCTION to_even(a int) RETURNS even LANGUAGE hxpy STABLE STRICT AS 'return a - a % 2';
CREATE FUNCTION pair(a int) RETURNS pair LANGUAGE hxpy STABLE AS 'return None if a is None else (a, str(a))';
CREATE FUNCTION fails(a int) RETURNS int LANGUAGE hxpy STABLE AS $$
if a == 7:
    raise ValueError('seven')
return a
$$;
CREATE TABLE r (id int PRIMARY KEY, x int, y int, t text, z float8);
INSERT INTO r SELECT i, nullif(i % 5, 3), nullif(i * 7 % 11, 2), nullif(chr(97 + i % 6), 'd'), i / 7.0 FROM generate_series(1, 40) AS i;
CREATE TABLE s (id int PRIMARY KEY, v int, w text);
INSERT INTO s SELECT i, i * 3 % 17, repeat('w', i % 3) FROM generate_series(1, 12) AS i;
CREATE TABLE p (k int, v int) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (1000);
INSERT INTO p SELECT i, nullif(i % 4, 1) FROM generate_series(1, 25) AS i;
ANALYZE;
CREATE FUNCTION outcome(query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  r record;
  result text[] := '{}';
BEGIN
  FOR r IN EXECUTE query LOOP
    result := result || r::text;
  END LOOP;
  RETURN result;
EXCEPTION WHEN OTHERS THEN
  RETURN ARRAY[format('failed: %s: %s', SQLSTATE, SQLERRM)];
END $$;
-- Runs a query both ways, and shows it where the results differ.  Some that are generated are none.
CREATE PROCEDURE try(number int, query text) LANGUAGE plpgsql AS $$
DECLARE
  line text;
  n int := 0;
  batched text[];
  plain text[];
BEGIN
  BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
      n := n + (line LIKE '%(hxpy calls)%')::int;
    END LOOP;
  EXCEPTION WHEN syntax_error_or_access_rule_violation OR feature_not_supported THEN
    RETURN;
  END;
  batched := outcome(query);
  SET LOCAL hxpy.batching = off;
  plain := outcome(query);
  SET LOCAL hxpy.batching = on;
  IF batched <> plain THEN
    RAISE WARNING E'query % differs: %\nbatched: %\nplain:   %', number, query, batched, plain;
  END IF;
  UPDATE tally SET queries = queries + 1, nodes = nodes + n, differ = differ + (batched <> plain)::int,
    failed = failed + coalesce(batched[1] LIKE 'failed: %', false)::int;
END $$;
