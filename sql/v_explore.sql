-- Exploring: py_show, py_vars, py_help, py_complete, py_columns.
SET TimeZone = 'UTC';
SELECT py_open('s');
SELECT py_define_grid('s', 'g', $$SELECT i AS id, 'room ' || i % 3 AS room, 20 + i % 10 / 4.0::float8 AS temp,
    timestamptz '2024-01-01' + i * interval '1 h' AS ts FROM generate_series(1, 1000) AS i$$,
    '{"cols": {"temp": {"unit": "kW"}}}');
SELECT py_exec('s', $$
import numpy as np, pandas as pd, json
df = g.to_dataframe()
wide = pd.DataFrame(np.arange(60).reshape(3, 20), columns=[f"column{i}" for i in range(20)])
a = np.arange(1000) / 4
m = np.eye(50)
d = {f"key {i}": list(range(i)) for i in range(1000)}
class Model:
    """A model.

    With more to say.
    """
    def __repr__(self): return "Model(\n    depth=3)"
    def fit(self, x: np.ndarray, *, depth: int = 3) -> "Model":
        """Fit it to values,
        all of them.

        Nothing else."""
    @property
    def broken(self): raise ValueError("broken")
    def __len__(self): raise ValueError("no length")
class Silent:
    def __repr__(self): raise ValueError("no text")
model, silent, _own = Model(), Silent(), 1
$$);
-- tables: aligned, with dtypes, cut in rows, folded in columns
SELECT py_show('s', 'df', 6);
SELECT py_show('s', 'g', rows => 4, width => 40);
SELECT py_show('s', 'wide');
SELECT py_show('s', 'df.temp', 4);
SELECT py_show('s', 'df.groupby(["room", df.id % 2]).temp.agg(["min", "max"])');
SELECT py_show('s', 'df.set_axis(pd.MultiIndex.from_product([["a", "b"], ["x", "y"]]), axis=1)', 2);
SELECT py_show('s', 'pd.concat([df.id, df.id], axis=1)', 2);
SELECT py_show('s', 'pd.DataFrame({"text": ["x" * 100, "two\nlines", None]})');
SELECT py_show('s', 'df[:0]');
SELECT py_show('s', 'pd.DataFrame()');
SELECT py_show('s', 'pd.Series([], dtype=float)');
SELECT count(*), min(length(py_show)) > 20 FROM py_show('s', 'df', NULL);
-- arrays
SELECT py_show('s', 'a');
SELECT py_show('s', 'a[:3]');
SELECT py_show('s', 'm', 4, 60);
SELECT py_show('s', 'np.array([(1, "a"), (2, "b")], dtype=[("n", int), ("s", "U1")])');
SELECT py_show('s', 'np.zeros((2, 0)), np.array(1.5), np.zeros((2, 1, 2))');
-- dicts, lists, texts, anything
SELECT py_show('s', 'd', 3);
SELECT py_show('s', '{"df": wide.iloc[:1, :12], "list": list(range(40))}');
SELECT py_show('s', 'list(range(1000))', 5);
SELECT py_show('s', 'set(range(3))'), py_show('s', '(1, None)'), py_show('s', '{}');
SELECT py_show('s', $$"one\ntwo\0three \udc80\n"$$);
SELECT py_show('s', '""');
SELECT py_show('s', 'None'), py_show('s', '2 ** 70'), py_show('s', 'model');
SELECT py_show('s', 'silent');
SELECT py_show('s', 'nobody');
SELECT py_show('s', '1 +');
-- the width is a setting
SET hxpy.width = 40;
SELECT py_show('s', 'wide');
SELECT py_show('s', 'wide', width => 1000);
RESET hxpy.width;
SET hxpy.width = 10;
SELECT py_show('s', '1', width => 10);
SELECT py_show('s', '1', rows => 0);
SELECT py_show('s', NULL);
SELECT py_show('nosuch', '1');
-- the session may be left out; values are copied nowhere
SELECT py_exec('x = [1, 2]');
SELECT py_show('x'), py_show('x', 1);
SELECT * FROM py_vars();
SELECT name, type, shape, CASE WHEN name IN ('a', 'm', 'wide') THEN memory END AS memory, memory > 0 AS known FROM py_vars('s');
SELECT py_exec('s', 'df["more"] = 1');
SELECT py_eval('s', 'g.col_names(), list(wide.columns)[:2]');
-- help
SELECT py_help('s', 'Model.fit');
SELECT py_help('s', 'Model');
SELECT py_help('s', 'model');
SELECT py_help('s', 'json');
SELECT py_help('s', 'np.sin');
SELECT py_help('s', 'Model.fit', full => true);
SELECT py_help('len'), py_help('x');
SELECT py_help('nobody');
-- completion
SELECT py_complete('s', 'np.linsp');
SELECT string_agg(py_complete, ' ') FROM py_complete('s', 'print(model.');
SELECT py_complete('s', 'df["t');
SELECT py_complete('s', 'x = g[''');
SELECT py_complete('s', 'd["key 99');
SELECT py_complete('s', 'Mod'), py_complete('s', '_o'), py_complete('impor');
SELECT count(*) FROM py_complete('s', 'model.broken.');
SELECT py_complete('s', 'nobody.x'), py_complete('s', 'nobody["x');
SELECT count(*) > 100 FROM py_complete('');
-- column lists
SELECT py_columns('s', 'df');
SELECT format('SELECT * FROM py_eval_grid(%L, %L) %s LIMIT 2', 's', 'df', py_columns('s', 'df')) \gexec
SELECT py_columns('s', '{"select": [1.5], "A b": ["x"], "l": [[1, 2]], "j": [{}], "n": [None], "r": [__import__("hxpy").haystack.ref.Ref("a")]}');
SELECT py_columns('[(1, "a")]');
SELECT py_columns('s', 'df[:0]');
SELECT py_columns('[]');
SELECT py_columns('5');
SELECT py_columns('[{"x" * 70: 1}]');
SELECT py_eval_grid('s', 'df');
-- a role needs the rights
CREATE ROLE hxpy_regress_explorer;
SET ROLE hxpy_regress_explorer;
SELECT py_show('1');
SELECT py_vars();
SELECT py_help('1');
SELECT py_complete('a');
SELECT py_columns('[1]');
RESET ROLE;
GRANT EXECUTE ON FUNCTION py_show(text, integer, integer) TO hxpy_regress_explorer;
SET ROLE hxpy_regress_explorer;
SELECT py_show('1');
SELECT py_close();
RESET ROLE;
DROP OWNED BY hxpy_regress_explorer;
DROP ROLE hxpy_regress_explorer;
-- in PL/pgSQL, in a cursor, within Python, and in a session that is lost
DO $do$
DECLARE
  line text;
BEGIN
  FOR line IN SELECT py_show('s', 'wide.iloc[:, :2]') LOOP RAISE NOTICE '%', line; END LOOP;
  BEGIN
    PERFORM py_show('s', '1 / 0');
  EXCEPTION WHEN OTHERS THEN RAISE NOTICE '% (%)', SQLERRM, SQLSTATE;
  END;
  line := py_columns('s', 'wide.iloc[:, :2]');
  RAISE NOTICE '%', line;
END $do$;
SELECT py_exec('s', $$
import hxpy
class Inside:
    def __repr__(self): return "inside: " + hxpy.sql("SELECT py_show('s', '1 + 1') AS line").line[0]
$$);
SET hxpy.superuser_sql = on;
SELECT py_show('s', 'Inside()');
RESET hxpy.superuser_sql;
SELECT py_show('s', 'exit(3)');
SELECT py_vars('s');
-- encodings
SELECT py_open('s');
SELECT py_exec('s', $$import pandas as pd
df = pd.DataFrame({"\u6e29\u5ea6": [20.5, 21], "room": ["\u6771\u4eac", "x"]})$$);
SELECT py_show('s', 'df');
SET client_encoding = 'SJIS';
SELECT encode(convert_to(string_agg(py_show, '|'), 'SJIS'), 'escape') FROM py_show('s', 'df');
SET client_encoding = 'LATIN1';
SELECT py_show('s', 'df');
SELECT py_columns('s', 'df');
SELECT py_show('s', '"\u00b0C"') = U&'\00b0C';
RESET client_encoding;
SELECT py_close_all();
