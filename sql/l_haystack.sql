-- Haystack in SQL: builders, accessors, converters, meta, matrices.
\set VERBOSITY terse
SET TimeZone = 'UTC';
-- builders
SELECT hs_marker(), hs_na(), hs_remove();
SELECT hs_ref(text 'a-1'), hs_ref('a-1', 'Main'), hs_ref(id => 'b', dis => NULL), hs_ref(NULL::text);
SELECT hs_ref(7), hs_ref(7::bigint), hs_ref('b'::varchar), hs_ref('c'::hs_ref), hs_ref('00000000-0000-0000-0000-000000000001'::uuid);
SELECT hs_uri(text 'http://x/?a b'), hs_uri('x'::hs_uri), hs_uri('y'::varchar), hs_symbol(text 'hot-water'), hs_symbol('s'::hs_symbol), hs_symbol('t'::varchar);
SELECT hs_ref('a'), hs_symbol('site'), hs_uri('x');
SELECT hs_number(5), hs_number(72.50, '°F'), hs_number(0.1::float8, 'kW'), hs_number(1e-7::float8), hs_number(5, ''), hs_number(NULL, 'kW');
SELECT hs_number('NaN'), hs_number('-Infinity', 'kW'), hs_number('Infinity'::numeric);
SELECT hs_number(9007199254740993), hs_number(12345678901234567890123), hs_number(9007199254740993, 'Wh');
SELECT hs_date('2021-03-22'), hs_date('0099-12-31'), hs_time('17:19:23.5'), hs_time('08:30');
SELECT hs_datetime('2021-03-22T13:57:00.381-04:00', 'New_York'), hs_datetime('1880-01-01T00:00Z', 'New_York');
SELECT hs_coord(37.54, -77.44), hs_coord(12, 0), hs_xstr('Span', 'today');
-- names of time zones: Haystack's, full, older
SELECT name, hs_zone(name) AS zone, d ->> 'val' AS val, d ->> 'tz' AS tz
  FROM unnest('{UTC,GMT,GMT+5,Etc/GMT-14,London,Asia/Kolkata,Calcutta,US/Eastern,EST5EDT,Buenos_Aires,America/Buenos_Aires,Europe/Oslo,Lord_Howe,Rel}'::text[]) AS name,
       hs_datetime('2021-07-22T12:00Z', name) AS d;
-- what a setting shows must not matter
SET extra_float_digits = -9; SET DateStyle = 'German'; SET IntervalStyle = 'sql_standard';
SELECT hs_number(0.1::float8 + 0.2), hs_number(0.30000000000000004), hs_date('2021-03-22'), hs_time('00:00:01'), hs_datetime('2021-03-22 01:00+00', 'St_Johns'), hs_ts(hs_datetime('2021-03-22 01:00+00', 'Sydney')), hs_coord(0.000001, -0.5);
RESET extra_float_digits; RESET DateStyle; RESET IntervalStyle;
-- over columns, with constants beside them: the planner must not run into the branch that fails
SELECT hs_number(v), hs_number(v, 'kW'), hs_number(v, NULL), hs_xstr('Span', d), hs_xstr(d, 'x'), hs_coord(10, v), hs_ref('a', d), hs_ref(d, 'A')
  FROM (VALUES (1.5::float8, 'Day'), ('inf', 'X'), (NULL, NULL)) AS t(v, d) WHERE v < 90 OR v IS NULL;
-- what is refused
SELECT hs_ref('@a');
SELECT hs_ref('', 'x');
SELECT hs_symbol(text '^a b');
SELECT hs_number('NaN', 'kW');
SELECT hs_number(0.12345678901234567890);
SELECT hs_date('infinity');
SELECT hs_date('0044-03-15 BC');
SELECT hs_time('24:00');
SELECT hs_datetime('-infinity', 'UTC');
SELECT hs_datetime(now(), 'Eastern');
SELECT hs_datetime(now(), 'America/Nowhere');
SELECT hs_zone('Mars/New_York'), hs_zone('');
SELECT hs_coord(90.5, 0);
SELECT hs_xstr('span', 'today');
-- accessors
SELECT hs_val(hs_ref('a', 'A')), hs_val('"s"'), hs_val('1.5'), hs_val(hs_marker()), hs_num('1.5'), hs_num(hs_number(5, 'kW')), hs_num(hs_number('-inf')), hs_num('"5"'), hs_unit(hs_number(5, 'kW')), hs_unit('5'),
       hs_ts(hs_datetime('2021-03-22T13:57:00.381-04:00', 'New_York'));
SELECT * FROM hs_rows('{"_kind": "grid", "cols": [{"name": "a"}], "rows": [{"a": 1}, {"a": {"_kind": "na"}}]}');
SELECT count(*) FROM hs_rows('{"_kind": "grid"}') UNION ALL SELECT count(*) FROM hs_rows('[1, 2]') UNION ALL SELECT count(*) FROM hs_rows(NULL);
SELECT * FROM hs_rows('{"rows": 5}');
SELECT h.* FROM (VALUES ('{"_kind": "grid", "meta": {"id": {"_kind": "ref", "val": "p"}}, "cols": [{"name": "ts"}, {"name": "val"}], "rows": [{"ts": {"_kind": "dateTime", "val": "2024-01-01T00:00:00Z", "tz": "UTC"}, "val": 1.5}]}'::jsonb),
  ('{"_kind": "grid", "cols": [{"name": "ts"}, {"name": "v0", "meta": {"id": {"_kind": "ref", "val": "a"}}}, {"name": "v1", "meta": {"id": {"_kind": "ref", "val": "b"}}}], "rows": [{"ts": {"_kind": "dateTime", "val": "2024-01-01T00:00:00Z", "tz": "UTC"}, "v1": {"_kind": "na"}}, {"ts": {"_kind": "dateTime", "val": "2024-01-01T01:00:00+01:00", "tz": "Berlin"}, "v0": true, "v1": null}]}')) AS g(grid), hs_his(grid) AS h;
-- Python reads all of them as what they are, and gives them back
SELECT py_define(py_open(), 'v', jsonb_build_array(hs_marker(), hs_na(), hs_remove(), hs_ref('a', 'A'), hs_uri(text 'u'), hs_symbol(text 's'),
  hs_number(72.5, '°F'), hs_number('NaN'), hs_date('2021-03-22'), hs_time('17:19:23.5'), hs_datetime('2021-03-22T13:57-04:00', 'New_York'),
  hs_coord(37.54, -77.44), hs_xstr('Span', 'today')));
SELECT py_eval('default', '" ".join(type(x).__name__ for x in v)', NULL::text);
SELECT count(*), count(DISTINCT r) FROM unnest(ARRAY[py_eval('v'), hs_from_zinc(hs_to_zinc(py_eval('v'))), hs_from_v3(hs_to_v3(py_eval('v'))),
  hs_from_trio(hs_to_trio(jsonb_build_array(jsonb_build_object('v', py_eval('v'))))) #> '{0,v}']) AS r;
-- a zone is named as the package names it
SELECT py_exec('from hxpy.haystack import tz; import zoneinfo');
SELECT count(*) > 300 AS many, count(*) FILTER (WHERE substring(hs_zone(name), '[^/]*$') <> tz) AS different
  FROM py_eval_grid('default', '((n, tz.tz_name(zoneinfo.ZoneInfo(n))) for n in zoneinfo.available_timezones() if "/" in n)') AS t(name text, tz text);
-- columns: domains, and jsonb cell by cell
CREATE TABLE hs_point (id hs_ref, kind hs_symbol, doc hs_uri, cell jsonb, kw float8, ts timestamptz);
INSERT INTO hs_point SELECT 'p-' || n, 'point', 'http://x/' || n, cell, n / 2.0, '2024-01-01'::timestamptz + n * interval '15 min'
  FROM (VALUES (1, hs_marker()), (2, hs_number(5, 'kW')), (3, '{"a": [1, null]}'), (4, hs_ref('r', 'R')), (5, NULL), (6, '"s"'), (7, hs_na())) AS t(n, cell);
INSERT INTO hs_point (id) VALUES (NULL);
COMMENT ON TABLE hs_point IS 'Points';
COMMENT ON COLUMN hs_point.kw IS '{"unit": "kW", "dis": "Power"}';
COMMENT ON COLUMN hs_point.ts IS 'Time';
SELECT hs_meta('hs_point');
SELECT hs_meta('pg_am'::regclass);
SELECT py_define_grid('default', 'g', 'SELECT * FROM hs_point', hs_meta('hs_point') || jsonb_build_object('site', hs_ref('s', 'S')));
SELECT py_exec($$
print(g['id'][0], g['kind'][0], repr(g['doc'][0]), [type(cell).__name__ for cell in g['cell']])
print(g.meta(), g.to_dataframe().attrs)
$$);
SELECT * FROM py_eval_grid('default', 'g', NULL::hs_point) EXCEPT ALL TABLE hs_point;
SELECT cell FROM py_eval_grid('default', 'g', NULL::hs_point) ORDER BY id;
SELECT * FROM py_eval_rows('default', 'g[1:3]');
SELECT py_eval('g[:1]') AS hayson, py_eval('g.to_dataframe()[:1]') = py_eval('g[:1]') AS of_dataframe;
-- converters
SELECT hs_grid('SELECT * FROM hs_point ORDER BY id', hs_meta('hs_point')) AS grid \gset
SELECT hs_grid('SELECT 1 AS a, ''x'' AS "My Col"');
SELECT hs_to_zinc(:'grid');
SELECT hs_from_zinc(hs_to_zinc(:'grid')) = :'grid'::jsonb AS zinc, hs_from_v3(hs_to_v3(:'grid')) = :'grid'::jsonb AS v3,
       (SELECT jsonb_agg(r) FROM hs_rows(:'grid') AS r WHERE r <> '{}') = hs_from_trio(hs_to_trio((SELECT jsonb_agg(r) FROM hs_rows(:'grid') AS r WHERE r <> '{}'))) AS trio;
SELECT hs_to_trio(jsonb_build_array(jsonb_build_object('id', hs_ref('a', 'A'), 'site', hs_marker(), 'area', hs_number(120.5, 'm²'))));
SELECT hs_to_v3(jsonb_build_object('id', hs_ref('a', 'A'), 'area', hs_number(120.5, 'm²')));
SELECT hs_to_csv(:'grid');
SELECT hs_from_zinc(NULL), hs_to_zinc(NULL), hs_to_csv(NULL);
-- errors of the codecs say where
SELECT hs_from_zinc(E'ver:"3.0"\na,b\n1,"x\n');
SELECT hs_from_trio(E'dis: A\nlist: [1,\n');
SELECT hs_from_v3(E'{\n  "a": "n:x"}');
SELECT hs_to_zinc('{"a b": 1}');
SELECT hs_grid('SELECT nosuch');
SELECT py_eval('[name for name in globals() if name.startswith("_hs")]');
-- matrices
SELECT py_define_grid('default', 'm', 'SELECT kw, extract(hour FROM ts)::int AS h FROM hs_point WHERE kw IS NOT NULL ORDER BY kw LIMIT 3');
SELECT py_eval('default', 'm.to_matrix()', NULL::float8[]), py_eval('m.to_matrix() * 2'), py_eval('Grid.from_matrix(m.to_matrix() @ [[1], [2]])')
  FROM py_exec('from hxpy.haystack import Grid');
SELECT * FROM py_eval_grid('default', 'Grid.from_matrix([[1, 2], [3, 4]])') AS t(v1 int, v0 int);
SELECT py_eval('g.to_matrix()');
-- who may
CREATE ROLE hxpy_regress_user;
SET ROLE hxpy_regress_user;
SELECT hs_number(5, 'kW'), hs_num('5');
SELECT hs_to_zinc('1');
SELECT hs_grid('SELECT 1');
RESET ROLE;
DROP ROLE hxpy_regress_user;
DROP TABLE hs_point;
SELECT py_close_all();
