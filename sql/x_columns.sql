-- LANGUAGE hxpy_batch: functions that take columns and return one.
LOAD 'hxpy';
CREATE SCHEMA columns;
SET search_path = columns, public;
SET max_parallel_workers_per_gather = 0;
SET DateStyle = 'ISO, MDY';
CREATE FUNCTION plus(a int, b float8) RETURNS float8 LANGUAGE hxpy_batch IMMUTABLE AS 'return a + b';
CREATE FUNCTION what(a int, b text, c bool, d timestamp, e float8) RETURNS text LANGUAGE hxpy_batch STABLE AS $$
return [f'{[type(x).__name__ for x in args]} {[str(getattr(x, "dtype", "")) for x in args]} {len(a)}'] * len(a)
$$;
CREATE FUNCTION upper_all(t text) RETURNS text LANGUAGE hxpy_batch STABLE STRICT AS 'return [x.upper() for x in t]';
CREATE FUNCTION short(a int) RETURNS int LANGUAGE hxpy_batch STABLE AS 'return a[:2]';
CREATE FUNCTION one(a int) RETURNS int LANGUAGE hxpy_batch STABLE AS 'return 1';
CREATE FUNCTION rows(a int) RETURNS int LANGUAGE hxpy_batch STABLE STRICT AS 'return [len(a)] * len(a)';
CREATE FUNCTION row_(a int) RETURNS int LANGUAGE hxpy STABLE STRICT AS 'return a + 1';
CREATE TABLE t (id int, x int, s text);
INSERT INTO t VALUES (1, 10, 'a'), (2, NULL, 'b'), (3, 30, NULL), (4, 40, 'ä');
SELECT id, plus(id, 0.5), plus(x, 1) FROM t;
EXPLAIN (VERBOSE, COSTS OFF) SELECT plus(id, plus(x, 1)) FROM t;
SELECT plus(id, plus(x, 1)), upper_all(s), rows(x), row_(rows(id)), rows(row_(id)) FROM t;
SELECT what(id, s, id > 1, '2024-01-01', x) FROM t WHERE x IS NOT NULL AND s IS NOT NULL;
SELECT what(x, s, x > 10, NULL, x) FROM t LIMIT 1;
SELECT sum(plus(id, 1)), CASE WHEN rows(max(id)) = 1 THEN rows(count(*)::int) END FROM t;
SELECT CASE WHEN id > 2 THEN rows(id) ELSE -rows(x) END FROM t;
-- called for one row
SELECT plus(1, 2), upper_all('x'), upper_all(NULL), rows(7);
SET hxpy.batching = off;
SELECT plus(x, 0.5), rows(id), upper_all(s) FROM t;
RESET hxpy.batching;
-- what is no column of the length
SELECT short(id) FROM t;
SELECT one(id) FROM t;
SELECT short(1);
CREATE FUNCTION wrong(a int) RETURNS int LANGUAGE hxpy_batch STABLE AS $$ return ['x'] * len(a) $$;
SELECT wrong(id) FROM t;
CREATE FUNCTION wrong_set(a int) RETURNS SETOF int LANGUAGE hxpy_batch STABLE AS $$ return a $$;
CREATE FUNCTION wrong() RETURNS trigger LANGUAGE hxpy_batch AS $$ return a $$;
CREATE PROCEDURE wrong() LANGUAGE hxpy_batch AS $$ return a $$;
-- types of results
CREATE FUNCTION times(a timestamptz, d interval) RETURNS timestamptz LANGUAGE hxpy_batch STABLE AS 'return a + d';
SELECT times('2024-01-01 12:00Z'::timestamptz + i * interval '1 hour', '1 day') AT TIME ZONE 'UTC' FROM generate_series(1, 2) AS i;
CREATE FUNCTION nullable(a int) RETURNS int LANGUAGE hxpy_batch STABLE AS $$
import pandas
return pandas.Series(a, dtype='Int64').where(pandas.Series(a) > 2)
$$;
SELECT nullable(id), nullable(x) IS NULL FROM t WHERE x IS NOT NULL;
CREATE FUNCTION dicts(a int) RETURNS jsonb LANGUAGE hxpy_batch STABLE AS $$ return [{'a': int(x)} for x in a] $$;
SELECT dicts(id) FROM t;
SELECT count(*), sum(plus(i, 1) - i) FROM generate_series(1, 20000) AS i WHERE rows(i) > 1;
\set VERBOSITY terse
DROP SCHEMA columns CASCADE;
