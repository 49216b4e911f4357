-- The session left out: hxpy.session says which one it is, for all functions alike.
\set VERBOSITY terse
SELECT py_open(), py_init('a = 1'), py_init('b', 2), py_init('b', 3), py_define('c', 4), py_define('d', 'text'::text), py_exec('e = a + b');
SELECT py_eval('[a, b, c, d, e]'), py_eval('e', NULL::int), py_eval('[e, e]', NULL::int[]), py_eval('d');
SELECT py_timeout('1 min'), py_define_grid('g', 'SELECT i, i * i AS j FROM generate_series(1, 3) AS i'), py_define_matrix('m', 'SELECT 1 AS a, 2 AS b'),
  py_define_grid('h', 'SELECT 1 AS a', meta => '{"dis": "h"}'), py_define_grid('k', 'SELECT 2 AS a', '{"dis": "k"}'::jsonb);
SELECT py_eval('[len(g), m.shape, h.meta()["dis"], k.meta()["dis"]]');
CREATE TYPE b_row AS (i int, j int);
SELECT * FROM py_eval_grid('g') AS t(i int, j int);
SELECT * FROM py_eval_grid('g', NULL::b_row) WHERE i > 2;
SELECT * FROM py_eval_rows('g') LIMIT 1;
SELECT py_eval_into('g', 'b_table'), py_eval_into('g', 'b_table', if_exists => 'append'), py_eval_into('g', 'b_table', if_exists => 'replace');
SELECT count(*) FROM b_table;
SELECT * FROM py_apply('lambda f: f * 2', 'SELECT i FROM generate_series(1, 2) AS i') AS t(i int);
SELECT * FROM py_apply('lambda i: i * 2', 'SELECT i FROM generate_series(1, 2) AS i', true) AS t(i int);
SELECT py_agg('lambda x, y: float((x * y).sum())', i, j), py_agg('sum', i) FROM b_table;
SELECT count(*) > 10 AS packages FROM py_packages();
-- elsewhere than in FROM, and with arguments that are NULL
SELECT py_eval_rows('g') LIMIT 1;
SELECT (py_eval_grid('g', NULL::b_row)).* LIMIT 1;
SELECT py_eval(NULL, NULL::int);
SELECT * FROM py_eval_grid(NULL::text) AS t(a int);
SELECT py_define_grid(NULL::text, 'q');
SELECT py_eval_into('g', 'b_table', if_exists => NULL);
SELECT py_eval_into('g', 'b_table', if_exists => 'perhaps');
-- all of it was one session; another is opened on first use
SELECT session FROM py_sessions();
SET hxpy.session = 'other';
SELECT py_eval('sorted(n for n in globals() if len(n) == 1)');
SELECT py_define('a', 5), py_define('default', 'a', 6), py_define('other', 'z', 7);
SELECT py_eval('[a, z]'), py_eval('default', 'a'), py_agg('lambda x: int(x.sum()) + a', i) FROM b_table;
SELECT * FROM py_apply('lambda f: [(a,)]', 'SELECT 1 AS i') AS t(a int);
CREATE FUNCTION b_pinned() RETURNS text LANGUAGE plpgsql SET hxpy.session = 'third' AS $$ BEGIN RETURN py_define('a', 8); END $$;
SELECT b_pinned(), py_eval('a'), py_eval('third', 'a');
SELECT session FROM py_sessions() ORDER BY 1;
SELECT py_close(), py_close(), py_eval('"a" in globals()'), py_close('third');
-- what a text is taken for, and how to say it otherwise
SELECT py_eval('a', NULL::text);
SELECT py_eval(expr => '"a"', "as" => NULL::text), py_eval('other', '"a"', NULL::text);
SELECT py_init('name', 'value');
SELECT py_init(name => 'name', value => 'value'::text), py_eval('name');
SELECT py_eval_into('a', 'b', 'c');
SET hxpy.session = '';
SELECT py_eval('1');
SET hxpy.session = 'hxpy.own';
SELECT py_eval('1');
RESET hxpy.session;
-- each with and without a session, and a comment on each
SELECT proname, count(*), count(obj_description(oid, 'pg_proc')) AS comments FROM pg_proc
  WHERE proname ~ '^py_(init|define|exec|eval|apply|agg$|timeout|close$)' AND pronamespace = 'public'::regnamespace GROUP BY 1 ORDER BY 1;
SELECT p.oid::regprocedure FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner)))
  WHERE proname ~ '^py_(open|init|define|exec|eval|apply|agg|timeout|close|packages)' AND grantee = 0;
SELECT py_close_all();
DROP FUNCTION b_pinned;
DROP TABLE b_table;
DROP TYPE b_row;
