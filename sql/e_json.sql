-- jsonb is Hayson, both ways.
SET TimeZone = 'UTC';
SELECT py_open('s');
CREATE FUNCTION trip(value jsonb, OUT python text, OUT back jsonb, OUT same bool) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM py_define('s', 'v', value);
  python := py_eval('s', 'f"{type(v).__name__} {v!r}"', NULL::text);
  back := py_eval('s', 'v');
  same := back IS NOT DISTINCT FROM value;
END $$;
SELECT t.* FROM (VALUES
  (NULL::jsonb), ('null'), ('true'), ('1'), ('1.5'), ('"str"'), ('[]'), ('[1, "a", null]'), ('{}'),
  ('{"a": {"b": [1]}, "n": null}'), ('12345678901234567890'),
  ('{"_kind": "number", "val": 45, "unit": "°F"}'), ('{"_kind": "number", "val": "NaN"}'),
  ('{"_kind": "number", "val": "-INF"}'), ('{"_kind": "marker"}'), ('{"_kind": "na"}'),
  ('{"_kind": "remove"}'), ('{"_kind": "ref", "val": "a-1", "dis": "Main"}'),
  ('{"_kind": "ref", "val": "a-1"}'), ('{"_kind": "symbol", "val": "site"}'),
  ('{"_kind": "uri", "val": "http://x/"}'), ('{"_kind": "date", "val": "2021-03-22"}'),
  ('{"_kind": "time", "val": "17:19:23.5"}'),
  ('{"_kind": "dateTime", "val": "2021-03-22T13:57:00.381-04:00", "tz": "New_York"}'),
  ('{"_kind": "coord", "lat": 50.979603, "lng": 10.318789}'),
  ('{"_kind": "xstr", "type": "Span", "val": "today"}')) AS j(v), trip(v) AS t;
SELECT back, same FROM trip('{"_kind": "grid", "meta": {"ver": "3.0", "foo": {"_kind": "marker"}},
  "cols": [{"name": "dis", "meta": {"dis": "Equip"}}, {"name": "equip"}],
  "rows": [{"dis": "RTU-1", "equip": {"_kind": "marker"}}]}');
-- Python values with a Hayson form
SELECT py_exec('s', 'import numpy as np, pandas as pd, datetime as dt, decimal, uuid');
SELECT py_eval('s', '[None, True, 1, 1.5, float("nan"), float("inf"), "ü", b"\x00\xff"]');
SELECT py_eval('s', '[np.float32(0.5), np.int8(1), np.bool_(False), np.array([[1, 2], [3, 4]]), (1, 2), range(2)]');
SELECT py_eval('s', '[dt.date(2024, 1, 2), dt.time(1, 2, 3), dt.datetime(2024, 1, 2, tzinfo=dt.timezone.utc), pd.NaT, pd.NA, np.datetime64("2024-01-01")]');
SELECT py_eval('s', '{"series": pd.Series([1, 2]), "decimal": decimal.Decimal(5), "uuid": uuid.UUID(int=1)}');
SELECT py_eval('s', 'pd.DataFrame({"a": [1, 2], "b": ["x", None]})');
SELECT py_exec('s', 'from hxpy.haystack import *'), py_eval('s', '[Marker(), Ref("a", "b"), Number(5, "kW"), Number(5, "kW").unit, Number(2, "m") * 3]');
SELECT py_eval('s', 'None') IS NULL AS none_is_null;
-- what has no form, says so
SELECT py_eval('s', '{"a": [1, object()]}');
SELECT py_eval('s', '{1: 2}');
SELECT py_eval('s', '"a\0"');
SELECT py_exec('s', 'loop = []; loop.append(loop)');
SELECT py_eval('s', 'loop');
SELECT py_eval('s', 'lambda: 1');
SELECT py_define('s', 'v', '{"_kind": "nope"}'::jsonb);
-- json as well as jsonb, and typed
SELECT py_define('s', 'v', '{"b": 1, "a": [1.50]}'::json), py_eval('s', 'v', NULL::json), py_eval('s', 'v', NULL::jsonb);
DROP FUNCTION trip;
