-- Pictures: py_plot, and py_plot_text, which draws with characters.
\set VERBOSITY terse
SELECT py_exec(py_open('s'), $$
import numpy as np, pandas as pd, warnings
warnings.simplefilter('error')          # such as one of a glyph that no font has
$$);
CREATE FUNCTION png_size(data bytea) RETURNS text LANGUAGE sql AS $$
SELECT CASE WHEN substr(data, 1, 8) = '\x89504e470d0a1a0a' AND right(encode(data, 'hex'), 16) = '49454e44ae426082' THEN
  (get_byte(data, 18) * 256 + get_byte(data, 19)) || ' x ' || (get_byte(data, 22) * 256 + get_byte(data, 23)) END
$$;
-- what matplotlib draws: nothing of it is imported before
SELECT py_eval('s', '"matplotlib" in __import__("sys").modules', NULL::bool);
SELECT png_size(py_plot('s', 'pd.Series([1, 3, 2]).plot()'));
SELECT py_exec('s', 'import matplotlib.pyplot as plt; fig, axes = plt.subplots(2, 1); axes[0].plot([1, 2])');
SELECT png_size(py_plot('s', 'fig')), png_size(py_plot('s', 'axes')), png_size(py_plot('s', 'axes[0].lines[0]'));
SELECT png_size(py_plot('s', 'plt.hist([1, 2, 2])')), png_size(py_plot('s', 'plt.bar(["a"], [1])')),
       png_size(py_plot('s', 'plt.boxplot([1, 2, 3])')), png_size(py_plot('s', 'pd.DataFrame({"a": [1, 2], "b": [2, 1]}).plot(subplots=True)'));
SELECT png_size(py_plot('s', 'fig', width => 3, height => 2, dpi => 50)), png_size(py_plot('s', 'fig', dpi => 200)),
       png_size(py_plot('s', 'fig', 'png', 8)), png_size(py_plot(expr => 'plt.figure(figsize=(2, 1))', session => 's'));
-- a figure stays as it is, and gives the same bytes again
SELECT py_plot('s', 'fig') = py_plot('s', 'fig') AS png, py_plot('s', 'fig', 'svg') = py_plot('s', 'fig', format => 'svg') AS svg;
SELECT py_eval('s', 'fig.get_size_inches().tolist(), fig.get_layout_engine() is None, round(fig.subplotpars.left, 3)');
SELECT substr(convert_from(py_plot('s', 'fig', format => 'svg'), 'UTF8'), 1, 38);
-- the current figure of pyplot, and what show() says
SELECT py_exec('s', 'plt.plot([1, 2]); plt.show(); plt.gcf().show()');
SELECT png_size(py_plot('s', 'plt'));
SELECT py_plot('s', 'plt');
-- degrees, Greek, powers, Chinese, Japanese and Korean are no boxes: else these were warnings
SELECT png_size(py_plot('s', 'pd.Series([1, 2]).plot(title="°C Δ m² µ ±½ 温度 会议室 ひらがな カタカナ 한국어")'));
-- what has a picture of itself
SELECT py_exec('s', $$
class Own:
    def _repr_png_(self): return b'\x89PNG'
class Pair:
    def _repr_svg_(self): return '<svg>Δ</svg>', {'width': 1}
class Text:
    def _repr_png_(self): return 'iVBORw=='
class Hidden:
    _repr_png_ = None
$$);
SELECT py_plot('s', 'Own()'), py_plot('s', 'Text()'), convert_from(py_plot('s', 'Pair()', 'svg'), 'UTF8') = '<svg>' || chr(916) || '</svg>' AS svg;
-- what is no picture
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT py_plot('s', 'Pair()');
SELECT py_plot('s', 'Own');
SELECT py_plot('s', 'Hidden()');
SELECT py_plot('s', 'pd.DataFrame({"a": [1]})');
SELECT py_plot('s', 'None');
SELECT py_plot('s', 'b"abc"');
SELECT py_plot('s', 'hxpy.haystack.Grid()' ) FROM py_exec('s', 'import hxpy.haystack');
SELECT py_plot('s', 'Own()', width => 3);
SELECT py_plot('s', 'fig', 'gif');
SELECT py_plot('s', 'fig', width => 200, height => 50);
SELECT py_plot('s', 'fig', width => 80, height => 80);
SELECT py_plot('s', 'fig', width => 'nan');
SELECT py_plot('s', 'fig', dpi => 0);
SELECT py_plot('s', 'fig', format => NULL);
SELECT py_plot('s', NULL);
SELECT py_plot(NULL, 'fig');
SELECT py_plot('nosuch', 'fig');
SELECT py_plot('s', 'nosuch');
SELECT py_plot('s', '1 +');
SET hxpy.max_frame_size = '1MB';
SELECT length(py_plot('s', 'plt.imshow(np.random.default_rng(0).random((1000, 1000)))', width => 20, height => 20));
RESET hxpy.max_frame_size;
\set SHOW_CONTEXT errors
SELECT py_exec('s', 'def fails(): raise ValueError("no")');
SELECT py_plot('s', 'fails()');
\set VERBOSITY terse
-- the session still works; the default one, where the format is given by name
SELECT py_eval('s', '1');
SELECT py_exec('import matplotlib.pyplot as plt; plt.plot([1])'), png_size(py_plot('plt')), py_close();
-- rights
CREATE ROLE hxpy_regress_pictures;
GRANT EXECUTE ON FUNCTION py_open TO hxpy_regress_pictures;
SET ROLE hxpy_regress_pictures;
SELECT py_plot('s', 'fig');
SELECT py_plot_text('s', '[1]');
RESET ROLE;
REVOKE ALL ON FUNCTION py_open FROM hxpy_regress_pictures;
DROP ROLE hxpy_regress_pictures;
SELECT py_close('s');
DROP FUNCTION png_size;
