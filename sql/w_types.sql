-- hxpy.types: values as in PL/Python; hxpy.start_proc.
CREATE TYPE pair AS (d date, n numeric[]);
CREATE FUNCTION seen(anyelement) RETURNS text LANGUAGE hxpy AS $$
return f'{type(args[0]).__name__} {args[0]!r}'
$$;
CREATE FUNCTION seen_pl(anyelement) RETURNS text LANGUAGE hxpy SET hxpy.types = 'plpython' AS $$
return f'{type(args[0]).__name__} {args[0]!r}'
$$;
SELECT seen(1.50), seen_pl(1.50);
SELECT seen(DATE '2024-01-01'), seen_pl(DATE '2024-01-01');
SELECT seen('{1,2}'::int[]), seen_pl('{1,2}'::int[]);
SELECT seen('{"a": 1}'::jsonb), seen_pl('{"a": 1}'::jsonb);
SELECT seen(ROW('2024-01-01', '{1.5}')::pair), seen_pl(ROW('2024-01-01', '{1.5}')::pair);
SELECT seen(5::oid), seen_pl(5::oid);
SELECT seen('infinity'::timestamp);
SELECT seen_pl('infinity'::timestamp);
-- in mid session, for one expression, in sets and triggers
CREATE FUNCTION back(x text) RETURNS int LANGUAGE hxpy AS $$ return x $$;
SELECT back('12');
SET hxpy.types = 'plpython';
SELECT back('12');
SELECT back('x');
CREATE FUNCTION several() RETURNS TABLE (i int, t text, d date) LANGUAGE hxpy AS $$
return [('1', 5, '2024-01-01'), (2, None, 'tomorrow' and '2024-01-02')]
$$;
SELECT * FROM several();
SELECT several();
CREATE TABLE times (t timestamptz, n numeric);
CREATE FUNCTION on_times() RETURNS trigger LANGUAGE hxpy AS $$
print(TD['new'])
TD['new']['t'] = '2024-01-01 00:00+00'
return 'MODIFY'
$$;
CREATE TRIGGER on_times BEFORE INSERT ON times FOR EACH ROW EXECUTE FUNCTION on_times();
SET timezone = 'UTC';
INSERT INTO times VALUES ('infinity', 1.50);
SELECT * FROM times;
RESET hxpy.types;
INSERT INTO times VALUES ('2024-06-01', 1.50);
DO $$
BEGIN
  FOR i IN 1..4 LOOP
    PERFORM set_config('hxpy.types', CASE i % 2 WHEN 0 THEN 'native' ELSE 'plpython' END, true);
    RAISE NOTICE '%', seen(ARRAY[1.5]);
  END LOOP;
END $$;
-- a function for each new session
CREATE FUNCTION load_model() RETURNS void LANGUAGE hxpy AS $$
GD['loads'] = GD.get('loads', 0) + 1
print('loading')
$$;
CREATE FUNCTION loads() RETURNS int LANGUAGE hxpy AS $$ return GD.get('loads') $$;
SELECT py_close_all();
SET hxpy.start_proc = 'public.load_model';
SELECT loads(), loads();
SELECT py_close();
SELECT loads();
DO LANGUAGE hxpy $$ print(GD['loads']) $$;
SELECT py_close();
SET hxpy.start_proc = 'no_such_function';
SELECT loads();
CREATE FUNCTION cannot_load() RETURNS void LANGUAGE hxpy AS $$ raise ValueError('no model') $$;
SET hxpy.start_proc = 'cannot_load';
SELECT loads();
SELECT loads();
CREATE FUNCTION closes() RETURNS void LANGUAGE sql AS 'SELECT py_close()';
SET hxpy.start_proc = 'closes';
SELECT loads();
RESET hxpy.start_proc;
SELECT loads() IS NULL AS not_loaded;
CREATE ROLE hxpy_regress_starter;
SET ROLE hxpy_regress_starter;
SET hxpy.start_proc = 'public.load_model';
RESET ROLE;
DROP ROLE hxpy_regress_starter;
-- neither a str nor nested lists of different lengths are arrays
CREATE FUNCTION no_array(how text) RETURNS text[] LANGUAGE hxpy SET hxpy.types = 'plpython' AS $$
return "text" if how == "str" else [["a", "b"], ["c"]]
$$;
SELECT no_array('str');
SELECT no_array('lists');
DROP FUNCTION no_array;
SELECT py_close_all();
DROP TABLE times;
DROP FUNCTION seen, seen_pl, back, several, on_times, load_model, loads, cannot_load, closes;
DROP TYPE pair;
