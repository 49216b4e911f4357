-- Charts made of characters: py_plot_text.
\set VERBOSITY terse
\pset tuples_only
\pset format unaligned
SET TimeZone = 'Europe/Berlin';
SELECT py_exec(py_open('s'), $$
import math, datetime
import numpy as np, pandas as pd
from hxpy.haystack import Grid, Number
wave = pd.Series([math.sin(i / 8) for i in range(100)], name='wave')
$$);
SELECT py_plot_text('s', 'wave');
SELECT * FROM py_plot_text('s', 'wave', width => 40, height => 8);
SELECT py_plot_text('s', '[1, 2, 4, 8, 16]', width => 30, height => 6);
SELECT py_plot_text('s', '[(1, 3), (2, 1), (3, 2)]', 'scatter', 30, 6);
SELECT py_plot_text('s', '{"office": 3, "lab": 7.5, "hall": -2, "empty": None}', width => 40);
SELECT py_plot_text('s', 'np.arange(200) ** 2 % 37', 'hist', 50);
SELECT py_plot_text('s', 'pd.DataFrame({"room": ["a", "b"], "temp": [20.5, 19], "co2": [400, 600]})', width => 40);
-- a history: of a query, with a unit
SELECT py_define_grid('s', 'his', $$SELECT '2026-01-01'::timestamptz + i * interval '1 hour' AS ts, CASE WHEN i % 50 > 3 THEN 20 + 5 * sin(i / 24.0 * 2 * pi()) END AS val FROM generate_series(0, 167) i$$,
                      '{"cols": {"val": {"unit": "kW"}}}');
SELECT py_plot_text('s', 'his', width => 60);
SELECT py_plot_text('s', 'his', 'spark', 60);
SELECT py_plot_text('s', 'his.to_dataframe().set_index("ts").resample("D").max()', 'bar', 50);
-- Numbers of Haystack, decimals, booleans, times between times, gaps, values that are all alike
SELECT py_plot_text('s', 'Grid.from_dicts([{"ts": datetime.datetime(2026, 1, 1, 0, 0, s), "val": Number(s * s, "°C")} for s in range(6)])', 'bar', 40);
SELECT py_plot_text('s', 'pd.Series([1.5, float("nan"), float("inf"), 4], index=[0, 10, 20, 30])', width => 40, height => 5);
SELECT py_plot_text('s', '[7, 7, 7]', width => 30, height => 3);
SELECT py_plot_text('s', 'np.linspace(-1, 1, 1000000) ** 3', width => 40, height => 5);
SELECT py_plot_text('s', 'pd.DataFrame(np.ones((3, 9))).add(range(3), axis=0)', 'spark', 40);
SELECT py_plot_text('s', 'pd.DataFrame({"n": range(100)}, index=[f"room {i}" for i in range(100)])', height => 5, width => 40);
-- labels of double width are aligned
SELECT py_plot_text('s', '{"会议室": 3, "Büro": 2, "한국어": 1}', width => 30);
-- where the client has no such characters: as ASCII, in any encoding
SET client_encoding = 'SJIS';
SELECT py_plot_text('s', 'wave', width => 40, height => 8);
SET client_encoding = 'LATIN1';
SELECT py_plot_text('s', '{"a": 1, "b": 2}', width => 40);
SELECT py_plot_text('s', 'his', 'spark', 60);
RESET client_encoding;
-- what cannot be drawn
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT py_plot_text('s', '"abc"');
SELECT py_plot_text('s', '5');
SELECT py_plot_text('s', '["a", "b"]');
SELECT py_plot_text('s', '[]');
SELECT py_plot_text('s', '[None, float("nan")]');
SELECT py_plot_text('s', '[float("nan"), float("inf")]');
SELECT py_plot_text('s', '[1e308, -1e308]');
SELECT py_plot_text('s', '[1]', 'pie');
SELECT py_plot_text('s', '[1]', width => 5);
SELECT py_plot_text('s', '[1]', height => 5000);
SELECT py_plot_text('s', NULL);
SELECT py_plot_text('s', 'nosuch');
\set VERBOSITY terse
SELECT py_close('s');
-- in a database of another encoding
CREATE DATABASE hxpy_regress_latin1 ENCODING LATIN1 LOCALE 'C' TEMPLATE template0;
SELECT current_database() AS database \gset
\c hxpy_regress_latin1
\encoding UTF8
SET client_min_messages = warning;
CREATE EXTENSION hxpy;
SELECT py_plot_text(expr => '{"Büro": 1, "Flur": 2}', width => 30);
SELECT py_plot_text('[1, 3, 2]', kind => 'spark', width => 30);
SELECT py_plot_text('{"会议室": 1}', width => 30);
SELECT substr(convert_from(py_plot('__import__("pandas").Series([1, 2]).plot(title="Büro °C")', format => 'svg'), 'UTF8'), 1, 19);
\c :database
DROP DATABASE hxpy_regress_latin1;
