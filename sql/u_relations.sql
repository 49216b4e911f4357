-- Transition tables, in triggers of any language.
CREATE ROLE relations_user;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO relations_user;
GRANT CREATE ON SCHEMA public TO relations_user;
GRANT USAGE ON LANGUAGE hxpy TO relations_user;
SET SESSION AUTHORIZATION relations_user;
CREATE TABLE meter (id int, kw float8);
CREATE TABLE seen (what text, n int, kw float8);
SELECT py_exec(py_open('p'), $$
import hxpy, plpy
def state(query):
    try:
        return plpy.execute(query).nrows()
    except plpy.SPIError as error:
        return f'{error.sqlstate}: {error}'
def count(frame):
    return [(len(frame), float(frame.kw.sum()))]
$$);
-- plpgsql: PERFORM, assignment, SELECT INTO, a loop, a dynamic query
CREATE FUNCTION on_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  k float8;
  r record;
BEGIN
  PERFORM py_define_grid('p', 'g', 'SELECT * FROM n ORDER BY id');
  INSERT INTO seen SELECT 'grid', (row->>'id')::int, (row->>'kw')::float8 FROM py_eval_rows('p', 'g') AS row;
  PERFORM py_define_matrix('p', 'm', 'SELECT id, kw FROM n AS x');
  k := py_eval('p', 'float(m[:, 1].sum())', NULL::float8);
  INSERT INTO seen VALUES ('matrix', NULL, k);
  k := py_eval('p', 'plpy.execute("SELECT sum(kw) AS s FROM n")[0]["s"]', NULL::float8);
  INSERT INTO seen VALUES ('plpy', NULL, k);
  PERFORM py_exec('p', 'hxpy.sql("INSERT INTO seen SELECT ''hxpy'', id, kw * $1 FROM n WHERE kw > (SELECT avg(kw) FROM n)", 10)');
  SELECT t.s INTO k FROM py_apply('p', 'count', 'SELECT * FROM n') AS t(c int, s float8);
  INSERT INTO seen VALUES ('apply', NULL, k);
  FOR r IN SELECT * FROM py_apply('p', 'count', 'WITH w AS (SELECT * FROM n) SELECT kw FROM w UNION ALL SELECT kw FROM n') AS t(c int, s float8) LOOP
    INSERT INTO seen VALUES ('loop', r.c, r.s);
  END LOOP;
  EXECUTE 'SELECT (py_define_grid(''p'', ''g'', ''SELECT count(*)::int AS c FROM n'') = ''p'')::int' INTO k;
  INSERT INTO seen VALUES ('execute', py_eval('p', 'int(g[0]["c"])', NULL::int), k);
  PERFORM py_exec('p', 'plpy.execute("CREATE TEMP TABLE copied AS SELECT * FROM n; EXPLAIN ANALYZE SELECT * FROM n")');
  INSERT INTO seen SELECT 'copied', * FROM copied;
  DROP TABLE copied;
  BEGIN
    PERFORM py_exec('p', 'plpy.execute("SELECT 1 / (id - id) FROM n")');
  EXCEPTION WHEN division_by_zero THEN
    INSERT INTO seen VALUES (sqlerrm, py_eval('p', 'state("SELECT * FROM n")', NULL::int));
  END;
  RETURN NULL;
END $$;
CREATE TRIGGER on_insert AFTER INSERT ON meter REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION on_insert();
INSERT INTO meter VALUES (1, 2.5), (2, 5);
SELECT * FROM seen;
TRUNCATE seen;
-- what follows sees them no more, nor does what has been kept
SELECT py_eval('p', 'state("SELECT * FROM n")');
SELECT py_define_grid('p', 'g', 'SELECT * FROM n');
INSERT INTO meter VALUES (3, 1);
SELECT what, n, kw FROM seen WHERE what IN ('grid', 'hxpy', 'loop');
DROP TRIGGER on_insert ON meter;
TRUNCATE seen, meter;
-- hxpy: its own queries, and what they call
CREATE FUNCTION hxpy_trigger() RETURNS trigger LANGUAGE hxpy AS $$
import hxpy
for name in 'o', 'n':
    try:
        plpy.execute(f"INSERT INTO seen SELECT '{TD['level']} {TD['event']} {name}', id, kw FROM {name}")
    except plpy.SPIError as error:
        print(error)
print(hxpy.sql("SELECT py_define_grid('p', 'g', 'SELECT * FROM ' || $1) AS session", name).session[0],
      plpy.execute("SELECT py_eval('p', 'len(g)', NULL::int) AS g")[0]['g'])
print(plpy.execute("SELECT sum(s)::int AS s FROM py_apply('p', 'count', 'SELECT * FROM n') AS t(c int, s float8)")[0]['s'])
print(plpy.execute("SELECT py_eval('p', 'state(\"SELECT * FROM n\")') AS s")[0]['s'])
$$;
CREATE TRIGGER i AFTER INSERT ON meter REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION hxpy_trigger();
CREATE TRIGGER u AFTER UPDATE ON meter REFERENCING NEW TABLE AS n OLD TABLE AS o FOR EACH ROW EXECUTE FUNCTION hxpy_trigger();
INSERT INTO meter SELECT i, i FROM generate_series(1, 3) AS i;
UPDATE meter SET kw = kw * 2 WHERE id > 1;
SELECT * FROM seen;
DROP TRIGGER i ON meter;
DROP TRIGGER u ON meter;
TRUNCATE seen;
-- a function has none of its caller's; a trigger that another one has fired has its own
CREATE FUNCTION look(query text) RETURNS text LANGUAGE hxpy AS $$
try:
    return str(plpy.execute(query).nrows())
except plpy.SPIError as error:
    return str(error)
$$;
CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE '%: look %, nested %, o %', TG_TABLE_NAME, look('SELECT * FROM n'),
    look('SELECT py_exec(''p'', ''plpy.execute("SELECT * FROM n")'')'), py_eval('p', 'state("SELECT * FROM o")');
  RAISE NOTICE '%: % rows', TG_TABLE_NAME, py_eval('p', 'state("SELECT * FROM n")');
  IF TG_TABLE_NAME = 'meter' THEN
    INSERT INTO seen SELECT 'x', i, i FROM generate_series(1, 7) AS i;
  END IF;
  RAISE NOTICE '%: % rows', TG_TABLE_NAME, py_eval('p', 'state("SELECT * FROM n")');
  RETURN NULL;
END $$;
CREATE TRIGGER f AFTER INSERT ON meter REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION fires();
CREATE TRIGGER f AFTER INSERT ON seen REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION fires();
INSERT INTO meter VALUES (1, 1), (2, 2);
DROP TRIGGER f ON meter;
DROP TRIGGER f ON seen;
-- rows that outlive the trigger
CREATE FUNCTION opens() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  late refcursor := 'late';
  later refcursor := 'later';
  i int;
BEGIN
  OPEN late FOR SELECT * FROM py_apply('p', 'lambda frame: frame', 'SELECT id FROM n') AS t(id int);
  FETCH late INTO i;
  OPEN later FOR SELECT * FROM py_apply('p', 'lambda frame: frame', 'SELECT id FROM n') AS t(id int);
  RAISE NOTICE '%', i;
  RETURN NULL;
END $$;
CREATE FUNCTION fetch_next(c refcursor) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  i int;
BEGIN
  FETCH c INTO i;
  RETURN i;
EXCEPTION WHEN invalid_cursor_name OR undefined_table OR connection_failure THEN
  RETURN 'refused';
END $$;
CREATE TRIGGER o AFTER INSERT ON meter REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION opens();
BEGIN;
INSERT INTO meter VALUES (1, 1), (2, 1);
-- what has been read is there, unless PostgreSQL itself has closed the cursor
SELECT fetch_next('late') IN ('2', 'refused') AS late, fetch_next('later') AS later;
ROLLBACK;
DROP TRIGGER o ON meter;
-- plans that are kept, over tables of different rows; cursors
CREATE TABLE wide (a text, id int, b text, kw float8);
CREATE FUNCTION keeps() RETURNS trigger LANGUAGE hxpy AS $$
if 'plan' not in SD:
    SD['plan'] = plpy.prepare('SELECT * FROM n WHERE id > $1 ORDER BY id', ['int'])
print(TD['table_name'], [dict(row) for row in SD['plan'].execute([1])])
print([row['id'] for row in plpy.cursor(SD['plan'], [0])], [row['id'] for row in plpy.cursor('SELECT id FROM n')])
GD['cursor'] = plpy.cursor('SELECT * FROM n')
print(GD['cursor'].fetch(1)[0]['id'])
$$;
CREATE TRIGGER k AFTER INSERT ON meter REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION keeps();
CREATE TRIGGER k AFTER INSERT ON wide REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION keeps();
INSERT INTO meter VALUES (1, 1), (2, 2);
INSERT INTO wide VALUES ('a', 3, 'b', 1.5), ('c', 4, 'd', 2.5);
INSERT INTO meter VALUES (5, 5);
SELECT count(*) FROM py_eval_grid('default', '[(1,) for row in cursor]') AS t(i int);
DROP TABLE wide;
DROP TRIGGER k ON meter;
CREATE FUNCTION keeps_too() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM py_exec('p', 'plan = globals().get("plan") or plpy.prepare("SELECT * FROM n"); c = plpy.cursor("SELECT * FROM n"); print(len(plan.execute()), len(c.fetch(1)))');
  PERFORM py_exec('p', 'print(state("SELECT * FROM n"))');
  RETURN NULL;
END $$;
CREATE TRIGGER k AFTER INSERT ON meter REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION keeps_too();
INSERT INTO meter VALUES (1, 1), (2, 2);
INSERT INTO meter VALUES (1, 1);
SELECT py_exec('p', 'c.fetch(1)');
SELECT py_exec('p', 'plan.execute()');
DROP TRIGGER k ON meter;
-- large, and in a table whose columns have changed
CREATE FUNCTION sums() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  r record;
BEGIN
  SELECT count(*) AS c, sum(id) AS s INTO r FROM py_apply('p', 'lambda frame: frame[["id"]]', 'SELECT * FROM n') AS t(id int);
  RAISE NOTICE '% %', r, py_eval('p', 'str(hxpy.sql("SELECT * FROM n LIMIT 0").columns.tolist())');
  RETURN NULL;
END $$;
CREATE TRIGGER s AFTER INSERT ON meter REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION sums();
INSERT INTO meter SELECT i, i FROM generate_series(1, 200000) AS i;
ALTER TABLE meter DROP COLUMN kw, ADD COLUMN more text, ADD COLUMN tags text[];
INSERT INTO meter VALUES (1, 'x', '{a}');
SELECT py_close_all();
DROP TABLE meter, seen;
DROP FUNCTION on_insert, hxpy_trigger, look, fires, opens, fetch_next, sums, keeps, keeps_too;
RESET SESSION AUTHORIZATION;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM relations_user;
REVOKE ALL ON SCHEMA public FROM relations_user;
REVOKE ALL ON LANGUAGE hxpy FROM relations_user;
DROP ROLE relations_user;
