-- Dates, times and intervals that Python cannot hold: hxpy.unsupported.
SET TimeZone = 'Europe/Berlin';
SET datestyle = 'ISO';
CREATE TABLE odd (id int, d date, tm time, ts timestamp, tz timestamptz, iv interval, a date[]);
INSERT INTO odd VALUES
    (1, '2024-01-01', '12:00', '2024-01-01 12:00', '2024-01-01 12:00', '1 day', '{2024-01-01}'),
    (2, 'infinity', '24:00', '-infinity', 'infinity', '1 mon', '{2024-01-01,infinity,NULL,0001-01-01 BC}'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, '10000-01-01', '00:00', '0002-01-01 BC', '20000-06-01 12:00', '2 years 1 day', '{}'),
    (5, '9999-12-31', '23:59:59', '0001-01-01', '2024-06-01 12:00', '-1 day', '{-infinity}');
SELECT py_exec(py_open('o'), $$
def show(grid):
    for name in ["d", "tm", "ts", "tz", "iv", "a"]:
        values = grid.to_dataframe()[name]
        print(name, values.dtype, [v if isinstance(v, list) else v if v is None or isinstance(v, str) else type(v).__name__ + " " + str(v) for v in values])
def batches(df):
    import pandas as pd
    return pd.DataFrame({"id": df["id"], "kind": [type(v).__name__ for v in df["iv"]], "text": df["iv"].astype(str)})
$$);
-- an error names column and row
SELECT py_define_grid('o', 'g', 'SELECT id, d FROM odd ORDER BY id');
SELECT py_define_grid('o', 'g', 'SELECT id, iv FROM odd ORDER BY id');
SELECT py_define_grid('o', 'g', 'SELECT id, a AS "A b" FROM odd ORDER BY id');
SELECT py_define_grid('o', 'g', 'SELECT i, CASE i WHEN 90000 THEN ''-infinity''::timestamp END AS ts FROM generate_series(1, 100000) AS i');
SELECT * FROM py_apply('o', 'batches', 'SELECT id, iv FROM odd ORDER BY id') AS t(id int, kind text, text text);
SELECT py_agg('o', 'lambda v: None', iv ORDER BY id) FROM odd;
SELECT py_define('o', 'v', '24:00'::time);
-- its text in its place
SET hxpy.unsupported = 'text';
SELECT py_define_grid('o', 'g', 'SELECT * FROM odd ORDER BY id'), py_exec('o', 'show(g)');
SELECT py_define_grid('o', 'g', 'SELECT * FROM odd WHERE id IN (1, 5)'), py_eval('o', '[str(t) for t in g.to_dataframe().dtypes]');
SELECT * FROM py_apply('o', 'batches', 'SELECT id, iv FROM odd ORDER BY id') AS t(id int, kind text, text text);
SELECT py_agg('o', 'lambda *v: [str(x) for c in v for x in c]', d, iv ORDER BY id) FROM odd WHERE id > 1;
SELECT py_define('o', 'v', '1 mon'::interval), py_eval('o', 'v'), py_define('o', 'v', ARRAY['infinity', '2024-01-01']::timestamptz[]), py_eval('o', 'str(v)');
SELECT py_define('o', 'v', odd) FROM odd WHERE id = 2;
SELECT py_eval('o', 'str(v)');
-- NULL in its place
SET hxpy.unsupported = 'null';
SELECT py_define_grid('o', 'g', 'SELECT * FROM odd ORDER BY id'), py_exec('o', 'show(g)');
SELECT py_define('o', 'v', 'infinity'::date), py_eval('o', 'v is None');
-- batches of every size give the same, also where the first text comes late
SET hxpy.unsupported = 'text';
SET hxpy.batch_size = 16;
SELECT py_define_grid('o', 'g', $$SELECT CASE WHEN i % 20000 = 15000 THEN 'infinity' WHEN i % 7 > 0 THEN timestamptz '2024-01-01' + i * interval '1 s' END AS tz,
    CASE WHEN i % 20000 = 15001 THEN interval '1 mon' WHEN i % 7 > 0 THEN i * interval '1 s' END AS iv,
    CASE WHEN i % 20000 = 15002 THEN 'infinity' WHEN i % 7 > 0 THEN date '2024-01-01' + i END AS d FROM generate_series(1, 60000) AS i$$);
SELECT py_exec('o', $$
import datetime as dt
df = g.to_dataframe()
start = dt.datetime(2024, 1, 1, tzinfo=df["tz"][0].tzinfo)
for name in df:
    texts = [(i + 1, v) for i, v in enumerate(df[name]) if isinstance(v, str)]
    print(name, df[name].dtype, texts, int(df[name].isna().sum()))
print(all((tz is None) == (i % 7 == 0) and (tz is None or tz.timestamp() - start.timestamp() == i and iv.total_seconds() == i and (d - start.date()).days == i)
          for i, (tz, iv, d) in enumerate(zip(df["tz"], df["iv"], df["d"]), 1) if not 15000 <= i % 20000 <= 15002))
$$);
RESET hxpy.batch_size;
SET hxpy.unsupported = 'guess';
RESET hxpy.unsupported;
RESET datestyle;
SELECT py_close('o');
DROP TABLE odd;
