-- py_apply by groups, and of whole tables.
SELECT py_exec(py_open('g'), $$
calls = []
def show(df):
    calls.append(len(df))
    return [(str(df.k[0]), len(df), ' '.join(df.dtypes.astype(str)), df.index.tolist() == list(range(len(df))))]
def count(df):
    calls.append(len(df))
    return {'n': [len(df)], 'k': df.k[:1], 's': [df.v.sum()]}
$$);
-- a batch is cut anywhere, a group is whole: in batches of any size, as GROUP BY has it
CREATE TABLE reading AS SELECT i % 100 AS k, i AS v, repeat('x', i % 30) AS t FROM generate_series(1, 20000) AS i;
SET hxpy.batch_size = 16;
SELECT count(*) > 100 AS cut FROM py_apply('g', 'lambda df: df.groupby("k", as_index=False).v.sum()', 'SELECT k, v FROM reading') AS t(k int, s int8);
SELECT count(*), count(DISTINCT k), sum(s) FROM py_apply('g', 'count', 'SELECT * FROM reading', by => 'k') AS t(k int, n int, s int8);
SELECT count(*), count(DISTINCT k), sum(s) FROM py_apply('g', 'count', 'SELECT k % 3 AS k, v, t FROM reading', by => 'k') AS t(k int, n int, s int8);
RESET hxpy.batch_size;
SELECT count(*), sum((a = b)::int) FROM
  (SELECT k, s AS a FROM py_apply('g', 'count', 'SELECT * FROM reading', by => 'k') AS t(k int, n int, s int8)) AS x
  FULL JOIN (SELECT k, sum(v) AS b FROM reading GROUP BY k) AS y USING (k);
-- each group has the dtypes that it has alone; NULLs are a group
SELECT * FROM py_apply('g', 'show', 'SELECT i % 3 AS k, CASE WHEN i <> 3 THEN i END AS a, i % 3 + (i % 3 = 1)::int / 2.0 AS n, i <> 5 OR NULL AS b, now() AS z FROM generate_series(1, 9) AS i', by => 'k') AS t(k text, n int, types text, counts bool);
SELECT * FROM py_apply('g', 'show', 'SELECT nullif(i % 3, 0) AS k FROM generate_series(1, 10) AS i', by => 'k') AS t(k text, n int, types text, counts bool);
SELECT * FROM py_apply('g', 'show', 'SELECT CASE WHEN i < 4 THEN 1 WHEN i < 7 THEN 1.5 END AS k, CASE WHEN i > 1 THEN i * 1000000000000000000::numeric END AS n FROM generate_series(1, 8) AS i', by => 'k') AS t(k text, n int, types text, counts bool);
-- several columns, in any order; arrays; a name is taken as it is
SELECT * FROM py_apply('g', 'lambda df: df.assign(n=len(df))[:1]', 'SELECT i % 2 AS "A b", i % 3 AS k FROM generate_series(1, 12) AS i', by => ARRAY['k', 'A b', 'k']) AS t("A b" int, k int, n int);
SELECT * FROM py_apply('g', 'lambda k, v: {"k": k[:1], "s": [v.sum()]}', 'SELECT i % 2 AS k, i / 2.0::float8 AS v FROM generate_series(1, 6) AS i', arrays => true, by => 'k'::name) AS t(k int, s float8);
-- as PostgreSQL compares: 1.0 and 1.00, 0 and -0, NaNs, padded text, of any type that sorts
SELECT py_exec('g', 'def sizes(df): return [(len(df),)]');
SELECT array_agg(n) FROM py_apply('g', 'sizes', 'SELECT k FROM (VALUES (1.0), (1.00), (2), (''NaN''), (''NaN''), (NULL), (NULL)) AS v(k)', by => 'k') AS t(n int);
SELECT array_agg(n) FROM py_apply('g', 'sizes', 'SELECT k FROM (VALUES (0::float8), (''-0''), (''NaN''), (''NaN'')) AS v(k)', by => 'k') AS t(n int);
SELECT array_agg(n) FROM py_apply('g', 'sizes', 'SELECT k::char(3) FROM (VALUES (''a''), (''a ''), (''b'')) AS v(k)', by => 'k') AS t(n int);
SELECT array_agg(n) FROM py_apply('g', 'sizes', $$SELECT ROW(i % 2, d)::text AS r, ARRAY[i % 2] AS a, d, jsonb_build_object('a', i % 2) AS j FROM generate_series(1, 6) AS i, CAST('2024-02-29' AS date) AS d$$, by => ARRAY['a', 'd', 'j', 'r']) AS t(n int);
CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
SELECT array_agg(n) FROM py_apply('g', 'sizes', 'SELECT k COLLATE blind AS k FROM (VALUES (''a''), (''b''), (''A'')) AS v(k)', by => 'k') AS t(n int);
-- rows that come sorted keep their order; LIMIT ends it
SELECT * FROM py_apply('g', 'lambda df: df[:1]', 'SELECT k, v FROM reading ORDER BY k, v DESC', by => 'k') AS t(k int, v int) LIMIT 3;
SELECT py_exec('g', 'calls.clear()');
SELECT k, n FROM py_apply('g', 'count', 'SELECT i AS k, i AS v FROM generate_series(1, 3000) AS i', by => 'k') AS t(k int, n int, s int8) LIMIT 2;
SELECT py_eval('g', 'len(calls) < 3000');
-- rows that are stored, and in a function's result
SELECT count(t) FROM py_apply('g', 'count', 'SELECT * FROM reading', by => 'k') AS t(k int, n int, s int8);
-- whole
SELECT * FROM py_apply('g', 'count', 'SELECT * FROM reading', whole => true) AS t(k int, n int, s int8);
SELECT * FROM py_apply('g', 'lambda k: [(len(k), int(k.sum()))]', 'SELECT k FROM reading', arrays => true, whole => true) AS t(n int, s int8);
SELECT count(t), sum(n) FROM py_apply('g', 'count', 'SELECT * FROM reading', whole => true) AS t(k int, n int, s int8);
CREATE TABLE told(k int);
SELECT * FROM py_apply('g', 'sizes', 'INSERT INTO told SELECT generate_series(1, 5) RETURNING k', whole => true) AS t(n int);
-- no rows, no call
SELECT py_exec('g', 'calls.clear()');
SELECT * FROM py_apply('g', 'count', 'SELECT * FROM reading WHERE k < 0', by => 'k') AS t(k int, n int, s int8);
SELECT * FROM py_apply('g', 'count', 'SELECT * FROM reading WHERE k < 0', whole => true) AS t(k int, n int, s int8);
SELECT py_eval('g', 'calls');
-- in the default session; SQL within a group; a transition table
SELECT * FROM py_apply('lambda df: [(len(df),)]', 'SELECT i % 2 AS k FROM generate_series(1, 5) AS i', by => 'k') AS t(n int);
CREATE ROLE hxpy_regress_groups;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO hxpy_regress_groups;
GRANT ALL ON reading, told TO hxpy_regress_groups;
SET ROLE hxpy_regress_groups;
SELECT py_exec('import hxpy');
SELECT count(*), sum(n) FROM py_apply('lambda df: [(hxpy.sql("SELECT $1 + 1 AS n", len(df)).n[0],)]', 'SELECT * FROM reading WHERE k < 10', by => 'k') AS t(n int);
RESET ROLE;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE '%', (SELECT array_agg(n) FROM py_apply('g', 'sizes', 'SELECT k % 2 AS k FROM n', by => 'k') AS t(n int));
  RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER INSERT ON told REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION tell();
INSERT INTO told SELECT generate_series(1, 7);
-- text by its collation; a row of a group that has an error is told with it
SELECT * FROM py_apply('g', 'lambda k: [(k[0], len(k))]', 'SELECT k COLLATE blind AS k FROM (SELECT CASE i % 3 WHEN 0 THEN ''a'' WHEN 1 THEN ''A'' END FROM generate_series(1, 300) AS i) AS v(k)', by => 'k', arrays => true) AS t(k text, n int);
-- errors
SELECT * FROM py_apply('g', 'sizes', 'SELECT 1 AS k', by => 'K') AS t(n int);
SELECT * FROM py_apply('g', 'sizes', 'SELECT 1 AS k, 2 AS k', by => 'k') AS t(n int);
SELECT * FROM py_apply('g', 'sizes', 'SELECT 1 AS k', by => 1) AS t(n int);
SELECT * FROM py_apply('g', 'sizes', 'SELECT 1 AS k', by => ARRAY[]::text[]) AS t(n int);
SELECT * FROM py_apply('g', 'sizes', 'SELECT 1 AS k', by => ARRAY['k', NULL]) AS t(n int);
SELECT * FROM py_apply('g', 'sizes', 'SELECT 1 AS k', by => 'k', whole => true) AS t(n int);
SELECT * FROM py_apply('g', 'sizes', 'SELECT ''{}''::json AS k', by => 'k') AS t(n int);
SELECT * FROM py_apply('g', 'sizes', 'INSERT INTO told VALUES (1) RETURNING k', by => 'k') AS t(n int);
SELECT * FROM py_apply('g', 'lambda df: [(1 // (3 - int(df.k[0])),)]', 'SELECT generate_series(1, 5) AS k', by => 'k') AS t(n int);
SELECT py_eval('g', '1');
SELECT * FROM py_apply('g', 'lambda df: [("x" if df.k[0] == "é" else 1,)]', 'SELECT * FROM (VALUES (NULL, 1.0), (''a'', 1.0), (''é'', 1.00)) AS v(k, l)', by => ARRAY['l', 'k']) AS t(n int);
DO $$ BEGIN PERFORM * FROM py_apply('g', 'lambda df: [(1 // int(df.k[0]),)]', 'SELECT i % 9 AS k FROM generate_series(1, 9000) AS i', by => 'k') AS t(n int); EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%', SQLERRM; END $$;
SELECT py_eval('g', '1');
-- a group that does not fit is named
SELECT py_open('small', memory => '256MB');
\set VERBOSITY terse
CREATE VIEW large AS SELECT i, repeat('x', 19990) || (1000000000 + i) AS t FROM generate_series(1, 8000) AS i;
SELECT * FROM py_apply('small', 'lambda df: [(len(df),)]', 'SELECT (i > 1000)::int AS k, CASE WHEN i < 5 THEN ''y'' END AS l, t FROM large', by => ARRAY['k', 'l']) AS t(n int);
SELECT * FROM py_apply('small', 'lambda df: [(len(df),)]', 'SELECT t FROM large', whole => true) AS t(n int);
-- all groups together need not fit: rows beyond that are sorted, and so are those of groups beyond work_mem
SELECT sum(n), count(*), bool_and(n = 400 AND same) FROM py_apply('small', 'lambda df: [(len(df), df.i.is_monotonic_increasing and set(df.i % 20) == {df.k[0]} and [int(t[-5:]) for t in df.t] == list(df.i))]', 'SELECT i % 20 AS k, * FROM large', by => 'k') AS t(n int, same bool);
SET work_mem = '64kB';
SELECT count(*), sum(n), bool_and(same) FROM py_apply('g', 'lambda k, i: [(len(i), (i % 4000 == k[0]).all() and (i[1:] > i[:-1]).all(), k[0])]', 'SELECT i % 4000 AS k, i FROM generate_series(1, 9000) AS i', by => 'k', arrays => true) AS t(n int, same bool, k int);
SELECT count(*), bool_and(k = place) FROM (SELECT k, row_number() OVER () AS place FROM py_apply('g', 'lambda k: [k[0]]', 'SELECT 1 + i * 7 % 3000 AS k FROM generate_series(1, 3000) AS i', by => 'k', arrays => true) AS t(k int)) AS x;
RESET work_mem;
SELECT py_eval('small', '1');
-- the query's order within groups, though the planner expects a row, for which a sort by so many columns is cheaper
CREATE FUNCTION more_than_expected() RETURNS SETOF int ROWS 1 LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT generate_series(1, 20000); END $$;
SELECT k, ordered FROM py_apply('g', 'lambda df: [{"k": int(df.k[0]), "ordered": bool((df.i.diff()[1:] > 0).all())}]',
                                'SELECT i % 7 AS k, i % 1 AS l, i % 1 AS m, i % 1 AS n, i % 1 AS o, i % 1 AS p, i % 1 AS q, i FROM more_than_expected() AS i ORDER BY i', by => '{k,l,m,n,o,p,q}'::text[]) AS t(k int, ordered bool);
SELECT py_close_all();
DROP TABLE reading, told;
DROP VIEW large;
DROP FUNCTION tell;
DROP FUNCTION more_than_expected;
DROP OWNED BY hxpy_regress_groups;
DROP ROLE hxpy_regress_groups;
