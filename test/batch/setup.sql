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
CREATE FUNCTION field(j jsonb) RETURNS int LANGUAGE hxpy STABLE STRICT AS $$ return j.pop('a', None) if isinstance(j, dict) else 1 $$;
CREATE FUNCTION put(j jsonb, a int) RETURNS jsonb LANGUAGE hxpy STABLE AS $$
if isinstance(j, dict):
    j['b'] = a
return j
$$;
CREATE FUNCTION total(a int[]) RETURNS int LANGUAGE hxpy STABLE AS $$
if a is None:
    return None
a[:1] = [5]
return int(sum(x or 0 for x in a)) % 1000
$$;
CREATE FUNCTION rotated(a int[]) RETURNS int[] LANGUAGE hxpy IMMUTABLE STRICT AS 'return [*a[1:], *a[:1]]';
CREATE FUNCTION of_pair(p pair) RETURNS int LANGUAGE hxpy STABLE AS $$ return p and p['a'] $$;
CREATE FUNCTION paired(a int, t text) RETURNS pair LANGUAGE hxpy STABLE AS $$ return {'a': a, 'b': t} $$;
CREATE FUNCTION later(d date, a int) RETURNS date LANGUAGE hxpy STABLE STRICT AS $$
import datetime
return d + datetime.timedelta(a % 1000)
$$;
CREATE FUNCTION plus(a int, b int) RETURNS int LANGUAGE hxpy_batch IMMUTABLE STRICT AS $$
a += b
return a % 1000
$$;
CREATE FUNCTION known(a int) RETURNS bool LANGUAGE hxpy_batch STABLE AS $$
import pandas
return ~pandas.isna(a)
$$;
CREATE FUNCTION mirrored(t text) RETURNS text LANGUAGE hxpy_batch STABLE AS 'return [x and x[::-1] for x in t]';
CREATE FUNCTION owned(a int) RETURNS int LANGUAGE hxpy STABLE SECURITY DEFINER AS 'return a';
CREATE FUNCTION as_pl(n numeric) RETURNS text LANGUAGE hxpy STABLE SET hxpy.types = plpython AS 'return repr(n)';
CREATE FUNCTION inlined(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT g(a) + f(a, 1)';
CREATE TABLE r (id int PRIMARY KEY, x int, y int, t text, z float8, j jsonb, n int[], p pair, d date);
INSERT INTO r SELECT i, nullif(i % 5, 3), nullif(i * 7 % 11, 2), nullif(chr(97 + i % 6), 'd'), i / 7.0,
  CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '[1]' ELSE jsonb_build_object('a', i) END, CASE WHEN i % 3 > 0 THEN ARRAY[i, i % 7, NULL] END,
  CASE WHEN i % 7 > 0 THEN ROW(i, 'p')::pair END, date '2024-02-27' + i FROM generate_series(1, 25) AS i;
CREATE TABLE s (id int PRIMARY KEY, v int, w text);
INSERT INTO s SELECT i, i * 3 % 17, repeat('w', i % 3) FROM generate_series(1, 8) AS i;
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
-- The rows that a cursor gives, some at a time.
CREATE FUNCTION fetched(query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  c refcursor;
  r record;
  result text[] := '{}';
BEGIN
  OPEN c NO SCROLL FOR EXECUTE query;
  LOOP
    FETCH c INTO r;
    EXIT WHEN NOT FOUND;
    result := result || r::text;
  END LOOP;
  CLOSE c;
  RETURN result;
EXCEPTION WHEN OTHERS THEN
  RETURN result || format('failed: %s: %s', SQLSTATE, SQLERRM);
END $$;
-- Those of a plan that lasts.
CREATE FUNCTION prepared(query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  result text[];
BEGIN
  DEALLOCATE ALL;
  EXECUTE 'PREPARE q(int) AS ' || query;
  SET LOCAL plan_cache_mode = force_generic_plan;
  FOR i IN 2..4 LOOP
    result := result || outcome(format('EXECUTE q(%s)', nullif(i, 3) || ''));
  END LOOP;
  RESET plan_cache_mode;
  RETURN result;
END $$;
-- What a statement makes of the tables, which is undone.
CREATE FUNCTION changed(statement text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  result text[] := '{}';
BEGIN
  BEGIN
    IF statement LIKE '%RETURNING%' THEN
      result := outcome(statement);
    ELSE
      EXECUTE statement;
    END IF;
    result := result || outcome('SELECT * FROM r ORDER BY id') || outcome('SELECT * FROM s ORDER BY id') ||
      outcome('SELECT tableoid::regclass, * FROM p ORDER BY k, v');
    RAISE EXCEPTION USING ERRCODE = 'UNDO0';
  EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    RETURN result;
  END;
EXCEPTION WHEN OTHERS THEN
  RETURN ARRAY[format('failed: %s: %s', SQLSTATE, SQLERRM)];
END $$;
CREATE FUNCTION tried(how text, query text) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
  RETURN CASE how WHEN 'rows' THEN outcome(query) WHEN 'cursor' THEN fetched(query) WHEN 'plan' THEN prepared(query) ELSE changed(query) END;
END $$;
-- Return whether results differ.  Of a cursor, an error may come some rows earlier.
CREATE FUNCTION differ(how text, batched text[], plain text[]) RETURNS bool LANGUAGE sql AS $$
  SELECT CASE WHEN how = 'cursor' AND batched[cardinality(batched)] LIKE 'failed: %' AND plain[cardinality(plain)] LIKE 'failed: %'
    THEN batched[:cardinality(batched) - 1] <> plain[:cardinality(batched) - 1] OR cardinality(batched) > cardinality(plain)
    ELSE batched <> plain END
$$;
-- Runs a query both ways, and shows it where the results differ.  Some that are generated are none.
CREATE PROCEDURE try(number int, how text, query text) LANGUAGE plpgsql AS $$
DECLARE
  line text;
  n int := 0;
  batched text[];
  plain text[];
BEGIN
  BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || replace(query, '$1', '2') LOOP
      n := n + (line LIKE '%(hxpy calls)%')::int;
    END LOOP;
  EXCEPTION WHEN syntax_error_or_access_rule_violation OR feature_not_supported THEN
    UPDATE tally SET refused = refused + 1;
    RETURN;
  WHEN external_routine_exception THEN
    NULL;     -- the planner has called the function, to estimate: so it does without batches
  END;
  batched := tried(how, query);
  SET LOCAL hxpy.batching = off;
  plain := tried(how, query);
  SET LOCAL hxpy.batching = on;
  IF differ(how, batched, plain) THEN
    RAISE WARNING E'query % (%) differs: %\nbatched: %\nplain:   %', number, how, query, batched, plain;
  END IF;
  UPDATE tally SET queries = queries + 1, nodes = nodes + n, differ = differ + differ(how, batched, plain)::int,
    failed = failed + coalesce(batched[cardinality(batched)] LIKE 'failed: %', false)::int;
END $$;
