-- plpy.prepare: plans with parameters
CREATE ROLE plan_user;
GRANT CREATE ON SCHEMA public TO plan_user;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO plan_user;
GRANT USAGE ON LANGUAGE hxpy TO plan_user;
SET SESSION AUTHORIZATION plan_user;
CREATE TABLE plan_a (id int PRIMARY KEY, x numeric(5, 2), t text, d date, tags text[]);
CREATE TYPE plan_pair AS (a int, b text);
CREATE DOMAIN plan_small AS int CHECK (VALUE < 10);
SELECT py_exec(py_open('p'), $$
import plpy, hxpy, datetime as dt
def tell(call):
    try:
        return str(call())
    except Exception as error:
        return f'{type(error).__name__}: {error}'
insert = plpy.prepare('INSERT INTO plan_a VALUES ($1, $2, $3, $4, $5) RETURNING id, x', ['int', 'numeric', 'text', 'date', 'text[]'])
read = plpy.prepare('SELECT * FROM plan_a WHERE id >= $1 ORDER BY id', ['int4'])
count = plpy.prepare('SELECT count(*) AS n FROM plan_a')
$$);
SELECT py_eval('p', '[tell(lambda: plpy.execute(insert, [i, i / 2, f"t{i}", dt.date(2024, 1, i), ["a", None]])) for i in range(1, 4)]');
SELECT py_eval('p', '[insert.execute((4, None, None, None, None)).nrows(), count.execute()[0]["n"], plpy.execute(count)[0]["n"], plpy.execute(read, [1], 2).nrows(), read.execute([3])[1]["t"], read.status()]');
SELECT py_eval('p', 'read.execute([1], 1)[0]');
SELECT py_eval('p', '(lambda r: [len(r), r.status(), r.colnames(), r.coltypes(), r.coltypmods()])(read.execute([10]))');
-- arguments travel as their types want
SELECT py_eval('p', 'tell(lambda: plpy.prepare("SELECT $1 AS a, $2 AS b, $3 AS c, $4 AS d", ["plan_pair", "plan_pair[]", "jsonb", "timestamptz"]).execute([{"a": 1, "b": "x"}, [(2, "y"), None], {"k": [1]}, dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)])[0]["b"])');
SELECT py_eval('p', '[tell(lambda: plpy.execute(plpy.prepare("SELECT $1 AS v", [t]), [v])[0]["v"]) for t, v in [("plan_small", 5), ("plan_small", 50), ("plan_small", None), ("varchar(2)", "abc"), ("int", "x"), ("int", 2**40), ("bool", True), ("bytea", b"\0"), ("float8[]", [1.5, 2]), ("inet", "10.0.0.1")]]');
-- errors, as of PL/Python
SELECT unnest(ARRAY[py_eval('p', 'tell(lambda: plpy.execute(read))'), py_eval('p', 'tell(lambda: plpy.execute(read, []))'),
  py_eval('p', 'tell(lambda: plpy.execute(insert, [1, 2]))'), py_eval('p', 'tell(lambda: plpy.execute(read, "1"))'),
  py_eval('p', 'tell(lambda: read.execute(5))'), py_eval('p', 'tell(lambda: plpy.execute(5))'),
  py_eval('p', 'tell(lambda: plpy.execute(read, [1], "x"))'), py_eval('p', 'tell(lambda: plpy.execute("SELECT 1", "x"))'),
  py_eval('p', 'tell(lambda: plpy.prepare("SELECT 1", 5))'), py_eval('p', 'tell(lambda: plpy.prepare("SELECT $1", [5]))'),
  py_eval('p', 'tell(lambda: plpy.prepare("SELECT $1", ["nosuch"]))'), py_eval('p', 'tell(lambda: plpy.prepare("SELEC"))'),
  py_eval('p', 'tell(lambda: plpy.prepare("SELECT $2", ["int"]))'), py_eval('p', 'tell(lambda: plpy.prepare("SELECT 1; SELECT 2"))'),
  py_eval('p', 'tell(lambda: plpy.prepare("COMMIT").execute())'), py_eval('p', 'tell(lambda: plpy.prepare("SELECT 1 / $1 AS q", ["int"]).execute([0]))')]);
-- plans outlast calls and transactions, and follow the tables
ALTER TABLE plan_a DROP COLUMN d;
ALTER TABLE plan_a ADD COLUMN more int DEFAULT 7;
SELECT py_eval('p', 'read.execute([4])[0]');
DROP TABLE plan_a;
SELECT py_eval('p', 'tell(lambda: read.execute([4]))');
CREATE TABLE plan_a AS SELECT 9 AS id;
SELECT py_eval('p', 'read.execute([4])[0]');
CREATE FUNCTION plan_sd(i int) RETURNS int LANGUAGE hxpy AS $$
if 'plan' not in SD:
    SD['plan'] = plpy.prepare('SELECT $1 + 1 AS i', ['int'])
    plpy.notice('prepared')
return SD['plan'].execute([i])[0]['i']
$$;
SELECT plan_sd(1), plan_sd(2);
-- a plan in a STABLE function changes nothing
CREATE FUNCTION plan_delete() RETURNS int LANGUAGE hxpy AS $$ return plpy.execute(GD['delete']).nrows() $$;
SELECT py_exec('default', 'import plpy; delete = plpy.prepare("DELETE FROM plan_a WHERE id = 0")');
SELECT plan_delete();
ALTER FUNCTION plan_delete STABLE;
SELECT plan_delete();
-- hxpy.types: rows, and arguments by what it was when they were prepared
SET hxpy.types = 'plpython';
DO LANGUAGE hxpy $$
row = plpy.execute("SELECT 1.50::numeric AS n, ARRAY[1, 2] AS a, '{}'::jsonb AS j, DATE '2024-01-01' AS d, ROW(1, 'x')::plan_pair AS p, 5::oid AS o")[0]
plpy.info(repr(row))
plan = plpy.prepare('SELECT $1 AS n, $2 AS d, $3 AS b, $4 AS p', ['numeric', 'date', 'bool', 'plan_pair'])
plpy.info(plan.execute(['1.50', '2024-02-29', 'yes', {'a': '5', 'b': 6}])[0])
try:
    plan.execute([1, 'no date', 0, None])
except plpy.spiexceptions.InvalidDatetimeFormat as error:
    plpy.info(str(error))
plpy.info(next(plpy.cursor('SELECT 1.50 AS n')))
import hxpy
plpy.info(hxpy.sql('SELECT 1.50 AS n').dtypes['n'])
$$;
RESET hxpy.types;
-- plans that Python drops are freed; there is a limit
SELECT py_eval('p', 'len([plpy.prepare("SELECT 1") for i in range(900)])'), py_eval('p', 'sum(plpy.prepare(f"SELECT {i} AS i").execute()[0]["i"] for i in range(1200))');
SELECT py_exec('p', 'many = [plpy.prepare("SELECT 1") for i in range(2000)]');
SELECT py_eval('p', 'count.execute()[0]["n"]');
-- another role's session has plans of its own; rights are those of the moment
RESET SESSION AUTHORIZATION;
SET hxpy.sql = off;
SET SESSION AUTHORIZATION plan_user;
SELECT py_eval('p', 'tell(lambda: count.execute())');
RESET SESSION AUTHORIZATION;
RESET hxpy.sql;
ALTER TABLE plan_a OWNER TO postgres;
REVOKE ALL ON plan_a FROM plan_user;
SET SESSION AUTHORIZATION plan_user;
SELECT py_eval('p', 'tell(lambda: count.execute())');
SELECT py_close_all();
DROP FUNCTION plan_sd, plan_delete;
RESET SESSION AUTHORIZATION;
DROP TABLE plan_a;
DROP OWNED BY plan_user CASCADE;
DROP ROLE plan_user;
