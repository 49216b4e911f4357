-- The codecs run in sessions of hxpy's own, beside whatever the user's sessions do.
\set VERBOSITY terse
CREATE TABLE doc (id int, body text);
INSERT INTO doc SELECT n, E'ver:"3.0"\na,b\n' || n || E',"x"\n' FROM generate_series(1, 3) AS n;
CREATE VIEW own AS SELECT session, state, instruction FROM hxpy_stat_sessions WHERE session ~ '^hxpy\.' ORDER BY 1;
-- within queries that stream to a session, from it, and into a grid of a grid
SELECT py_define_grid('default', 'h', 'SELECT r FROM doc, hs_rows(hs_from_zinc(body)) r');
SELECT py_eval('h');
SELECT r, hs_to_zinc(r) FROM py_eval_rows('default', '[{"a": n} for n in range(2)]') AS r;
SELECT hs_grid('SELECT id, hs_grid(''SELECT 1 AS b'') AS g, hs_from_zinc(body) #> ''{rows,0}'' AS r FROM doc WHERE id = 1') -> 'rows';
-- hidden, but counted, and shown to whom looks at all sessions
SELECT session FROM py_sessions();
TABLE own;
SELECT py_open('hxpy.codecs 1');
SELECT py_exec('hxpy.codecs 1', 'x = 1');
SELECT py_close('hxpy.codecs 1');
SELECT py_close_all();
TABLE own;
SET hxpy.max_sessions = 1;
SELECT hs_grid('SELECT hs_to_zinc(''1'') AS z');
SELECT hs_grid('SELECT 1 AS z');
SELECT py_open('s');
DISCARD ALL;
TABLE own;
SELECT hs_to_zinc('1');
TABLE own;
-- another role has its own
CREATE ROLE hxpy_regress_user;
GRANT EXECUTE ON FUNCTION hs_to_zinc(jsonb), hs_from_zinc(text), hs_grid(text, jsonb), py_close_all() TO hxpy_regress_user;
GRANT SELECT ON own TO hxpy_regress_user;
SET ROLE hxpy_regress_user;
SELECT hs_to_zinc('"bob"');
TABLE own;
SELECT hs_grid('SELECT * FROM doc');
SELECT py_close_all();
RESET ROLE;
TABLE own;
-- a bad text in one row: what and where, as an error of data, and no traceback
\set VERBOSITY default
INSERT INTO doc VALUES (4, E'ver:"3.0"\na,b\n1,"x\n');
SELECT hs_from_zinc(body) FROM doc WHERE id > 3;
SELECT hs_from_trio(E'dis: A\nlist: [1,\n');
SELECT hs_from_v3('{"a": "n:x"}');
SELECT hs_to_zinc('{"a b": 1}');
SELECT hs_to_csv('1');
SELECT hs_from_zinc('"\u0000"');
SELECT hs_grid('SELECT 1 AS a', '[]');
CREATE FUNCTION pg_temp.state(call text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN EXECUTE call; RETURN 'fine'; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$;
SELECT pg_temp.state(format('SELECT hs_from_zinc(%L)', body)) FROM doc ORDER BY id;
SELECT pg_temp.state($$SELECT hs_to_zinc('{"a b": 1}')$$), pg_temp.state($$SELECT hs_grid('SELECT nosuch')$$);
-- one that has ended meanwhile is replaced
SELECT hs_to_zinc('1');
SELECT py_remove_container(container) FROM hxpy_stat_sessions WHERE session = 'hxpy.codecs 1';
SELECT hs_to_zinc('2');
SELECT py_close_all();
REVOKE EXECUTE ON FUNCTION hs_to_zinc(jsonb), hs_from_zinc(text), hs_grid(text, jsonb), py_close_all() FROM hxpy_regress_user;
REVOKE SELECT ON own FROM hxpy_regress_user;
DROP ROLE hxpy_regress_user;
DROP VIEW own;
DROP TABLE doc;
