-- Tables in: py_define_grid, py_define_matrix.
CREATE EXTENSION IF NOT EXISTS hxpy;
SET TimeZone = 'Europe/Berlin';
CREATE TABLE reading (id int8, site text, ts timestamptz, kw float8, ok bool, note text);
INSERT INTO reading
SELECT i, 'site-' || i % 3, '2024-01-01'::timestamptz + i * interval '15 min',
       CASE WHEN i % 10 <> 0 THEN i / 4.0 END, CASE WHEN i % 7 <> 0 THEN i % 2 = 0 END,
       CASE WHEN i % 5 = 0 THEN 'n' || i END
  FROM generate_series(1, 1000) AS i;
SELECT py_open('g');
SELECT py_define_grid('g', 'g', 'SELECT * FROM reading ORDER BY id',
                      '{"dis": "Readings", "cols": {"kw": {"unit": "kW"}}}');
SELECT py_exec('g', $$
df = g.to_dataframe()
print(len(g), g.col_names(), g.meta(), g.col('kw').meta())
print(df.dtypes.to_string())
print(df.head(3).to_string())
print(df.attrs)
print(df.isna().sum().to_dict())
print(g.first().to_dict())
print(g.val(9, 'kw'), g[0, 'site'], [row.val('id') for row in g[:3]])
$$);
-- what it holds is what the table holds
SELECT py_eval('g', '[int(df.id.sum()), float(df.kw.sum()), int(df.ok.sum()), df.site.nunique()]') =
       (SELECT jsonb_build_array(sum(id), sum(kw), count(*) FILTER (WHERE ok), count(DISTINCT site)) FROM reading) AS same;
-- the frame is writable and shares the grid's memory
SELECT py_exec('g', $$
import numpy as np
print(np.shares_memory(df['kw'].to_numpy(), g['kw']), np.shares_memory(df['id'].to_numpy(), g['id']))
df.loc[0, 'kw'] = 99.0
$$);
-- every type in a column
SELECT py_define_grid('g', 'types', $$
SELECT * FROM (VALUES
  (true, 1::int2, 2::int4, 3::int8, 1.5::float4, 2.5::float8, 10::numeric, 'x'::text, '\x01'::bytea,
   '2024-01-01'::date, '12:00'::time, '2024-01-01 12:00'::timestamp, '2024-01-01 12:00'::timestamptz,
   '1 day'::interval, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, '{"_kind": "marker"}'::jsonb,
   ARRAY[1, 2], ARRAY['a', NULL], ROW(1, 'r'), '10.0.0.1'::inet, 'r1'::hs_ref),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
   NULL, NULL, NULL, NULL, NULL)) AS t(b, i2, i4, i8, f4, f8, n, t, y, d, tm, ts, tz, iv, u, j, ia, ta, r, ip, rf) $$);
SELECT py_exec('g', $$
types = types.to_dataframe()
for name in types:
    print(name, types[name].dtype, [type(v).__name__ for v in types[name]])
$$);
SELECT py_define_grid('g', 'n', 'SELECT 1.5::numeric AS a, 2::numeric AS b UNION ALL SELECT 2, 3');
SELECT py_eval('g', '[str(t) for t in n.to_dataframe().dtypes]');
SET hxpy.numeric = 'decimal';
SELECT py_define_grid('g', 'n', 'SELECT 1.50::numeric AS a'), py_eval('g', 'str(n.to_dataframe().a[0])');
RESET hxpy.numeric;
-- batches of every size give the same
SET hxpy.batch_size = 16;
SELECT py_define_grid('g', 'small', 'SELECT * FROM reading ORDER BY id'), py_eval('g', 'small.to_dataframe().iloc[1:].equals(df.iloc[1:])');
RESET hxpy.batch_size;
-- no rows, no columns, one large value
SELECT py_define_grid('g', 'e', 'SELECT * FROM reading WHERE false'), py_eval('g', '[len(e), e.to_dataframe().shape, str(e.to_dataframe().kw.dtype)]');
SELECT py_define_grid('g', 'big', 'SELECT repeat(''x'', 50000000) AS x FROM generate_series(1, 3)'), py_eval('g', 'sum(len(v) for v in big.to_dataframe().x)');
-- statements that give rows, and others
SELECT py_define_grid('g', 'r', 'VALUES (1, ''a''), (2, ''b'')'), py_eval('g', 'r.to_dicts()');
SELECT py_define_grid('g', 'r', 'WITH w AS (SELECT 1 AS a) SELECT * FROM w'), py_eval('g', 'r.to_dicts()');
SELECT py_define_grid('g', 'r', 'INSERT INTO reading (id) VALUES (0) RETURNING id'), py_eval('g', 'r.to_dicts()');
SELECT py_define_grid('g', 'r', 'DELETE FROM reading WHERE id = 0 RETURNING id'), py_eval('g', 'r.to_dicts()');
\set VERBOSITY terse
SELECT py_define_grid('g', 'r', 'INSERT INTO reading (id) VALUES (0)');
SELECT py_define_grid('g', 'r', 'TABLE nosuch');
SELECT py_define_grid('g', 'r', 'SELEC');
SELECT py_define_grid('g', 'r', 'SELECT 1; SELECT 2');
SELECT py_define_grid('g', 'r', 'CREATE TABLE x (a int)');
SELECT py_define_grid('g', 'r', 'SELECT 1 AS a INTO x');
SELECT py_define_grid('g', 'r', 'SHOW all');
SELECT py_define_grid('g', 'r', '');
SELECT py_define_grid('g', 'r', 'SELECT 1 AS a, 2 AS a');
SELECT py_define_grid('g', 'not valid', 'SELECT 1 AS a');
SELECT py_define_grid('g', 'r', 'SELECT 1 AS a', '[]');
SELECT py_define_grid('g', 'r', 'SELECT py_eval(''g'', ''1'')');
-- a query that fails midway leaves the variable undefined and the session usable
SELECT py_define('g', 'broken', 1);
SELECT py_define_grid('g', 'broken', 'SELECT 1 / (i - 90000) AS x FROM generate_series(1, 100000) AS i');
SELECT py_eval('g', '"broken" in globals()');
SELECT py_define_grid('g', 'broken', 'SELECT CASE WHEN i = 90000 THEN ''infinity''::date ELSE ''2024-01-01'' END FROM generate_series(1, 100000) AS i');
SELECT py_eval('g', '"broken" in globals()');
-- the caller's rights
CREATE ROLE hxpy_regress_user;
GRANT EXECUTE ON FUNCTION py_open(text, text, text, interval, boolean, text, text, float8), py_define_grid(text, text, text, jsonb), py_eval(text, text) TO hxpy_regress_user;
SET ROLE hxpy_regress_user;
SELECT py_open('u');
SELECT py_define_grid('u', 'r', 'SELECT * FROM reading');
RESET ROLE;
ALTER TABLE reading ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_site ON reading USING (site = 'site-1');
GRANT SELECT ON reading TO hxpy_regress_user;
SET ROLE hxpy_regress_user;
SELECT py_define_grid('u', 'r', 'SELECT * FROM reading'), py_eval('u', '[len(r), sorted(set(r["site"]))]');
RESET ROLE;
ALTER TABLE reading DISABLE ROW LEVEL SECURITY;
-- matrices
SELECT py_define_matrix('g', 'm', 'SELECT id, kw FROM reading ORDER BY id LIMIT 12');
SELECT py_eval('g', '[str(m.dtype), m.shape, m.flags.c_contiguous, m.flags.writeable, m[:2].tolist(), bool(np.isnan(m[9, 1]))]');
SELECT py_define_matrix('g', 'm', 'SELECT i::int8, i::int8 * 2 FROM generate_series(1, 3) AS i'), py_eval('g', '[str(m.dtype), m.tolist()]');
SELECT py_define_matrix('g', 'm', 'SELECT 1.5::numeric, 2::int4'), py_eval('g', 'm.tolist()');
SELECT py_define_matrix('g', 'm', 'SELECT i, i FROM generate_series(1, 2) AS i'), py_eval('g', 'm.tolist()');
SELECT py_define_matrix('g', 'm', 'SELECT site FROM reading');
SELECT py_define_matrix('g', 'm', 'SELECT kw FROM reading WHERE false'), py_eval('g', 'm.shape');
