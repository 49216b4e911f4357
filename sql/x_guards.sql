-- Calls in batches, after x_batches: conditions, NULL, errors, rights, what changes data.
LOAD 'hxpy';       -- or the first query would be planned without it
SET search_path = batches, public;
SET max_parallel_workers_per_gather = 0;
SET DateStyle = 'ISO, MDY';
-- 14, 15: what stands under a condition is evaluated under it
EXPLAIN (VERBOSE, COSTS OFF) SELECT CASE WHEN x <> 0 THEN g(12 / x) ELSE g(id) END FROM r;
SELECT * FROM compare('SELECT CASE WHEN x <> 0 THEN g(12 / x) ELSE g(id) END FROM r');
SELECT * FROM compare('SELECT CASE WHEN x = 0 THEN -1 WHEN fails(12 / x) > 0 THEN CASE WHEN y > 10 THEN g(y) ELSE fails(3) END ELSE f(x, y) END FROM r');
SELECT * FROM compare('SELECT CASE x WHEN 1 THEN g(y) ELSE 0 END, CASE WHEN random() < 2 THEN g(x) END FROM r');
SELECT * FROM compare('SELECT coalesce(x, g(y)), coalesce(g(x), f(id, y), fails(3)), x = 1 OR g(y) = 40, x IS NULL OR x = 0 OR fails(12 / x) > 0, x <> 0 AND 12 / g(x) > 2 FROM r');
SELECT * FROM compare('SELECT nullif(g(x), 2), greatest(g(x), y), ARRAY[g(x), y], ROW(g(x), up(t)), g(x) IN (2, 4), g(x) IS DISTINCT FROM 2, up(t) COLLATE "C" < $$B$$, (g(x)::text || $$!$$) IS NULL FROM r');
SELECT * FROM compare('SELECT id FROM r WHERE x IS NULL OR (CASE WHEN x > 0 THEN fails(3 - x) END) > 0');
SELECT * FROM compare('SELECT sum(CASE WHEN x > 0 THEN 12 / g(x) END), sum(g(12 / x)) FILTER (WHERE x > 0) FROM r');
-- the same call under several conditions
SELECT CASE WHEN x = 1 THEN noted(id) WHEN x = 2 THEN noted(id) * 10 END FROM r;
SELECT seen();
-- 16: NULL
SELECT * FROM compare('SELECT g(x), f(x, y), f(NULL, y), g(f(x, NULL)), f(g(x), g(y)), up(t) FROM r');
CREATE FUNCTION nothing(a int) RETURNS int LANGUAGE hxpy STABLE AS 'return None';
SELECT * FROM compare('SELECT nothing(id), g(nothing(id)), coalesce(nothing(id), id) FROM r');
-- 17: errors: rows before it come, those after LIMIT are not reached
SELECT * FROM compare('SELECT id, fails(id) FROM r');
SELECT * FROM compare('SELECT fails(id) FROM r ORDER BY id LIMIT 2');
SELECT * FROM compare('SELECT fails(id), g(id) FROM r WHERE f(id, 0) > 0 LIMIT 2');
SELECT * FROM compare('SELECT fails(id), f(fails(id + 1), 0) FROM r');
SELECT * FROM compare('SELECT f(g(2147483640 + id), 1) FROM r');
CREATE FUNCTION texts(a int) RETURNS int LANGUAGE hxpy STABLE AS $$ return 'x' if a == 4 else a $$;
SELECT * FROM compare('SELECT texts(id), g(texts(id)) FROM r');
SELECT g(id), fails(id) FROM r;
CREATE DOMAIN small AS int CHECK (VALUE < 3);
CREATE FUNCTION to_small(a int) RETURNS small LANGUAGE hxpy STABLE AS 'return a';
SELECT * FROM compare('SELECT to_small(id), g(to_small(id)) FROM r');
CREATE FUNCTION asks(a int) RETURNS int LANGUAGE hxpy STABLE AS $$
return plpy.execute(f'SELECT 12 / (3 - {a}) AS v')[0]['v']
$$;
CREATE ROLE batch_user;
GRANT USAGE ON LANGUAGE hxpy TO batch_user;
GRANT ALL ON SCHEMA batches TO batch_user;
GRANT ALL ON r, s TO batch_user;
SET SESSION AUTHORIZATION batch_user;
SELECT * FROM compare('SELECT asks(id), g(id) FROM r');
-- calls within calls of a batch, in the same session
CREATE FUNCTION nests(a int) RETURNS int8 LANGUAGE hxpy STABLE AS $$
return plpy.execute(f'SELECT sum(f(x, {a})) AS v FROM r')[0]['v']
$$;
SELECT * FROM compare('SELECT nests(id), (SELECT sum(g(x)) FROM r WHERE r.id <= s.id) FROM s WHERE nests(v) > 0');
RESET SESSION AUTHORIZATION;
-- 18: row security and barriers hold
CREATE TABLE secret (id int, owner text, v int);
INSERT INTO secret VALUES (1, 'batch_user', 10), (2, 'other', 20), (3, 'batch_user', 30);
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secret USING (up(owner) = 'BATCH_USER');
CREATE VIEW barrier WITH (security_barrier) AS SELECT id, v FROM secret WHERE g(id) <> 4;
GRANT SELECT ON secret, barrier TO batch_user;
CREATE FUNCTION leaks(a int) RETURNS bool LANGUAGE plpgsql COST 0.001 AS $$ BEGIN RAISE NOTICE 'sees %', a; RETURN true; END $$;
SET SESSION AUTHORIZATION batch_user;
SELECT noted(v) FROM secret WHERE leaks(v) AND noted(id) > 0;
SELECT seen();
RESET SESSION AUTHORIZATION;
SELECT * FROM barrier WHERE leaks(v) AND noted(id) > 0;
SELECT seen();
-- 19: rights, and functions that are not batched
REVOKE EXECUTE ON FUNCTION g FROM PUBLIC;
SET SESSION AUTHORIZATION batch_user;
SELECT g(x) FROM r WHERE x > 100;
SET hxpy.batching = off;
SELECT g(x) FROM r WHERE x > 100;
RESET hxpy.batching;
RESET SESSION AUTHORIZATION;
GRANT EXECUTE ON FUNCTION g TO PUBLIC;
-- functions with a role or settings of their own: those of one kind are a batch
SET SESSION AUTHORIZATION batch_user;
CREATE FUNCTION owned(a int) RETURNS text LANGUAGE hxpy STABLE SECURITY DEFINER AS $$
return plpy.execute(f"SELECT current_user || {a} AS v")[0]['v']
$$;
RESET SESSION AUTHORIZATION;
CREATE FUNCTION shown(a numeric) RETURNS text LANGUAGE hxpy STABLE SET hxpy.types = plpython AS 'return repr(a)';
CREATE FUNCTION dated(a int, d date) RETURNS date LANGUAGE hxpy STABLE SET hxpy.types = plpython SET DateStyle = 'German'
AS $$ return d if a < 3 else '01.02.2024' $$;
CREATE FUNCTION also_dated(d date) RETURNS text LANGUAGE hxpy STABLE SET hxpy.types = plpython SET DateStyle = 'German' AS 'return d';
CREATE FUNCTION apart(a int) RETURNS int LANGUAGE hxpy STABLE SET hxpy.session = 'apart' AS $$
SD['n'] = SD.get('n', 0) + 1
return None if a == 3 else a
$$;
EXPLAIN (COSTS OFF) SELECT owned(id), shown(id), dated(id, '2024-12-31'), also_dated(dated(id, '2024-12-31')), g(apart(id)) FROM r;
SELECT * FROM compare($$SELECT owned(id), shown(id / 2.0), dated(id, '2024-12-31'), also_dated(dated(id, '2024-12-31')), g(apart(id)) FROM r$$);
SHOW hxpy.types;
SELECT session FROM py_sessions() ORDER BY 1;
SELECT current_user = session_user AS unchanged;
SELECT * FROM compare('SELECT fails(id), apart(id) FROM r WHERE owned(id) IS NOT NULL');
-- 20: what changes data, and is undone
CREATE FUNCTION changes(statement text, query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  result text[];
BEGIN
  BEGIN
    EXECUTE statement;
    result := outcome(query);
    RAISE EXCEPTION USING ERRCODE = 'TEST0';
  EXCEPTION WHEN SQLSTATE 'TEST0' THEN NULL;
  END;
  RETURN result;
EXCEPTION WHEN OTHERS THEN
  RETURN ARRAY[format('%s: %s', SQLSTATE, SQLERRM)];
END $$;
CREATE FUNCTION compare(statement text, query text, OUT nodes int, OUT result text[], OUT off text[]) LANGUAGE plpgsql AS $$
BEGIN
  nodes := nodes(statement);
  result := changes(statement, query);
  SET hxpy.batching = off;
  off := changes(statement, query);
  RESET hxpy.batching;
  IF off = result THEN off := NULL; END IF;
END $$;
CREATE TABLE parts (k int, v int) PARTITION BY RANGE (k);
CREATE TABLE parts1 PARTITION OF parts FOR VALUES FROM (0) TO (3);
CREATE TABLE parts2 PARTITION OF parts FOR VALUES FROM (3) TO (1000);
INSERT INTO parts SELECT id, y FROM r;
SELECT * FROM compare('CREATE TABLE made AS SELECT id, g(x) AS gx FROM r', 'SELECT * FROM made');
SELECT * FROM compare('INSERT INTO s SELECT id + 10, f(x, y) FROM r WHERE g(x) > 0', 'SELECT * FROM s WHERE id > 10');
SELECT * FROM compare('UPDATE r SET x = f(s.v, r.y), t = up(t) FROM s WHERE s.id = r.id AND g(s.v) > 200', 'SELECT * FROM r ORDER BY id');
SELECT * FROM compare('UPDATE parts SET k = f(k, 2), v = g(v)', 'SELECT tableoid::regclass, * FROM parts ORDER BY k');
SELECT * FROM compare('DELETE FROM r WHERE g(x) = 4', 'SELECT id FROM r ORDER BY id');
SELECT * FROM compare('MERGE INTO s USING r ON s.id = r.id WHEN MATCHED AND g(r.x) > 2 THEN UPDATE SET v = f(r.y, 1) WHEN MATCHED THEN DELETE', 'SELECT * FROM s ORDER BY id');
SELECT * FROM compare('INSERT INTO s SELECT id, g(id) FROM r ON CONFLICT (id) DO UPDATE SET v = f(s.v, excluded.v)', 'SELECT * FROM s ORDER BY id');
SELECT * FROM compare('WITH u AS (UPDATE r SET y = g(y) RETURNING id, f(y, 1) AS v) INSERT INTO s SELECT id + 20, g(v) FROM u', 'SELECT * FROM s ORDER BY id');
\set VERBOSITY terse
