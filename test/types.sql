-- The table of docs/types.md that says what becomes of each type, made by doing it
-- (test/check-examples compares): a value to Python and back, a column of two rows,
-- one of them NULL, to a DataFrame and back, and the value as Hayson.
\set QUIET on
\set ON_ERROR_STOP on
\pset format unaligned
\pset tuples_only on
SET TimeZone = 'Europe/Berlin';
SET IntervalStyle = 'postgres';
CREATE TYPE pg_temp.mood AS ENUM ('sad', 'ok');
CREATE TYPE pg_temp.pair AS (a int, b text);
CREATE DOMAIN pg_temp.percent AS int CHECK (VALUE BETWEEN 0 AND 100);
SELECT py_open('types') AS session \gset
CREATE FUNCTION pg_temp.line(kind text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  literal text := format('%L::%s', value, kind);
  scalar text; dtype text; nullable text; hayson text; back bool; through bool;
BEGIN
  EXECUTE format('SELECT py_define(''types'', ''v'', %s)', literal);
  scalar := py_eval('types', 'type(v).__name__', NULL::text);
  hayson := py_eval('types', 'v')::text;
  EXECUTE format('SELECT py_eval(''types'', ''v'', NULL::%s)::text IS NOT DISTINCT FROM %s::text', kind, literal) INTO back;
  PERFORM py_define_grid('types', 'g', format('SELECT %s AS v', literal));
  dtype := py_eval('types', 'str(g.to_dataframe().v.dtype)', NULL::text);
  PERFORM py_define_grid('types', 'g', format('SELECT %s AS v UNION ALL SELECT NULL', literal));
  nullable := py_eval('types', 'str(g.to_dataframe().v.dtype)', NULL::text);
  EXECUTE format('SELECT array_agg(v::text) = ARRAY[%s::text, NULL] FROM py_eval_grid(''types'', ''g.to_dataframe()'') AS t(v %s)', literal, kind) INTO through;
  RETURN format('| `%s` | `%s` | `%s` | `%s` | %s | %s | `%s` |', regexp_replace(kind, '^pg_temp\.', ''), scalar, dtype, nullable,
                CASE WHEN back THEN 'same' ELSE 'differs' END, CASE WHEN through THEN 'same' ELSE 'differs' END, hayson);
END $$;
SELECT pg_temp.line(kind, value) FROM (VALUES
  (1, 'boolean', 't'), (2, 'smallint', '-7'), (3, 'integer', '7'), (4, 'bigint', '9223372036854775807'),
  (5, 'real', '0.5'), (6, 'double precision', '0.1'), (7, 'numeric', '10'), (8, 'numeric', '1.5'),
  (9, 'text', 'é☃'), (10, 'varchar(9)', 'v'), (11, 'char(3)', 'c'), (12, 'name', 'n'), (13, 'pg_temp.mood', 'ok'),
  (14, 'uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), (15, 'bytea', '\x00ff'),
  (16, 'date', '2024-02-29'), (17, 'time', '12:34:56.789'), (18, 'timestamp', '2024-02-29 12:34:56.789012'),
  (19, 'timestamptz', '2024-02-29 12:34:56+01'), (20, 'interval', '1 day 02:03:04.5'),
  (21, 'jsonb', '{"a": [1, null, "x"]}'), (22, 'jsonb', '{"_kind": "ref", "val": "a"}'),
  (23, 'jsonb', '{"_kind": "number", "val": 5, "unit": "kW"}'), (24, 'json', '{"a":1}'),
  (25, 'integer[]', '{1,2,3}'), (26, 'double precision[]', '{{1,2},{3,4.5}}'), (27, 'boolean[]', '{t,f}'), (28, 'text[]', '{a,NULL,"b c"}'),
  (29, 'pg_temp.pair', '(1,x)'), (30, 'pg_temp.percent', '50'), (31, 'hs_ref', 'p:a-1'), (32, 'hs_uri', 'http://x/'), (33, 'hs_symbol', 'hot-water'),
  (34, 'inet', '10.0.0.1'), (35, 'int4range', '[1,5)'), (36, 'point', '(1,2)'), (37, 'xml', '<a/>'), (38, 'timetz', '12:00:00+02')
) AS t(place, kind, value) ORDER BY place;
SELECT py_close('types') AS closed \gset
