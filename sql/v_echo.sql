-- py_exec shows the value of a last expression, as notebooks do: hxpy.echo.
SELECT py_exec(py_open('s'), '1 + 1');
-- auto: only in psql
SHOW hxpy.echo;
SET application_name = 'psql';
SELECT py_exec('s', '1 + 1');
SET application_name = 'psql2';
SELECT py_exec('s', '1 + 1');
SET hxpy.echo = 'off';
SET application_name = 'psql';
SELECT py_exec('s', '1 + 1');
RESET application_name;
SET hxpy.echo = 'sometimes';
SET hxpy.echo = 'on';
SELECT py_exec('s', $$
    import numpy as np, pandas as pd
    df = pd.DataFrame(np.arange(300).reshape(100, 3), columns=list("abc"))
    df
$$);
-- never for None, for statements, nor before a semicolon
SELECT py_exec('s', 'None'), py_exec('s', 'x = 1'), py_exec('s', 'print("printed")'), py_exec('s', 'x;'), py_exec('s', 'x ;  # no'),
    py_exec('s', ''), py_exec('s', '# comment'), py_exec('s', 'for i in range(3): i');
SELECT py_exec('s', 'x  # a comment; yes'), py_exec('s', '"; not a semicolon"'), py_exec('s', 'y = 2; y'), py_exec('s', '"two\nlines"'), py_exec('s', '"""two
lines""" ;');
SELECT py_exec('s', 'print("first"); x, {"a": df.a.iloc[:2]}');
SELECT py_exec('s', $$
"\u00e9\u6771";
"\u00e9\u6771", 1
$$);
-- only the last one counts; its effects happen once
SELECT py_exec('s', 'n = 0
def count():
    global n
    n += 1
    return n
count()
count()');
SELECT py_eval('s', 'n');
-- errors: of the statements, of the expression, of its text
SELECT py_exec('s', 'x = 3
1 / 0');
SELECT py_exec('s', 'x = 4
nobody
x');
SELECT py_exec('s', 'x = (');
SELECT py_exec('s', 'return 1');
SELECT py_exec('s', 'class Silent:
    def __repr__(self): raise ValueError("no text")
Silent()');
SELECT py_eval('s', 'x');
-- it is output, of the level of hxpy.output, as wide as hxpy.width
SET hxpy.output = 'info';
SELECT py_exec('s', 'x');
SET hxpy.output = 'none';
SELECT py_exec('s', 'Silent()');
RESET hxpy.output;
SET hxpy.width = 30;
SELECT py_exec('s', 'df[["a", "b", "c", "a", "b", "c"]].head(1)');
RESET hxpy.width;
-- what pandas itself prints is as wide, too, unless Python says otherwise
SET hxpy.echo = 'off';
SELECT py_exec('s', 'wide = pd.DataFrame([range(25)]); print(wide)');
SET hxpy.width = 60;
SELECT py_exec('s', 'print(wide)');
SELECT py_exec('s', 'pd.set_option("display.width", 1000); print(wide)');
SET hxpy.width = 40;
SELECT py_exec('s', 'print(wide)');
RESET hxpy.width;
-- py_init shows nothing
SET hxpy.echo = 'on';
SELECT py_init('s', 'x');
-- encodings: what the client's lacks is the client's affair, as of any NOTICE
SET client_encoding = 'SJIS';
SELECT py_exec('s', '"\u6771" == chr(0x6771)');
RESET client_encoding;
SELECT py_close('s');
