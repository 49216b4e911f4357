-- Whoever may create objects in the schema that the extension is to have could plant there what fits a
-- call of its bodies better than PostgreSQL's own.  Nothing of ours may be bound to that.
\set VERBOSITY terse
SET client_min_messages = warning;
BEGIN;
\getenv sources PG_ABS_SRCDIR
CREATE TEMP TABLE script AS SELECT pg_read_file(:'sources' || '/hxpy--1.0.sql') AS body;
CREATE TEMP TABLE own AS
  SELECT proname, proargtypes FROM pg_proc JOIN pg_depend ON objid = pg_proc.oid AND classid = 'pg_proc'::regclass
   WHERE deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'hxpy');
CREATE TEMP TABLE plan (kind text, name name, args regtype[]);
WITH t AS (SELECT unnest('{text,jsonb,date,time,interval,timestamp,timestamptz,numeric,float8,int4,int8,oid,regclass,
                           anyelement,anynonarray}'::regtype[]) AS type)
INSERT INTO plan
  SELECT 'function', proname, args
    FROM (SELECT DISTINCT proname FROM pg_proc, script
           WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind <> 'p' AND body ~ ('\m' || proname || '\(')) AS f,
         (SELECT ARRAY[a.type, b.type] FROM t AS a, t AS b UNION ALL SELECT ARRAY[type] FROM t) AS a(args)
  UNION ALL
  SELECT 'operator', oprname, ARRAY[a.type, b.type]
    FROM (SELECT DISTINCT oprname FROM pg_operator, script
           WHERE oprnamespace = 'pg_catalog'::regnamespace
             AND (strpos(body, ' ' || oprname || ' ') > 0 OR strpos(body, 'pg_catalog.' || oprname || ')') > 0)) AS o, t AS a, t AS b
  UNION ALL
  SELECT 'function', proname, args
    FROM (SELECT DISTINCT proname FROM own WHERE proname ~ '^hs_|^py_eval') AS f,
         (SELECT ARRAY[type, 'text'] FROM t UNION ALL SELECT ARRAY[type] FROM t) AS a(args)
   WHERE (proname, args) NOT IN (SELECT proname, ARRAY(SELECT unnest(proargtypes)::regtype) FROM own);
CREATE ROLE hxpy_regress_planter;
GRANT SELECT ON plan TO hxpy_regress_planter;
DROP EXTENSION hxpy;
CREATE SCHEMA planted;
GRANT CREATE, USAGE ON SCHEMA planted, public TO hxpy_regress_planter;
SET LOCAL ROLE hxpy_regress_planter;
SET LOCAL check_function_bodies = off;
DO $$
DECLARE
  schema text; object record;
BEGIN
  FOREACH schema IN ARRAY ARRAY['planted', 'public'] LOOP
    FOR object IN SELECT kind, name, array_to_string(args, ', ') AS types, args FROM plan
                   WHERE schema = 'planted' OR args <@ '{text,date,numeric,float8,int4,regclass}'::regtype[] LOOP
      IF object.kind = 'function' THEN
        EXECUTE format('CREATE FUNCTION %I.%I(%s) RETURNS text LANGUAGE sql AS $f$SELECT ''planted''$f$', schema, object.name, object.types);
      ELSE
        EXECUTE format('CREATE OR REPLACE FUNCTION %I.trap(%s) RETURNS boolean LANGUAGE sql AS ''SELECT true''', schema, object.types);
        EXECUTE format('CREATE OPERATOR %I.%s (FUNCTION = %I.trap, LEFTARG = %s, RIGHTARG = %s)', schema, object.name, schema, object.args[1], object.args[2]);
      END IF;
    END LOOP;
  END LOOP;
END $$;
CREATE TYPE planted.jsonb AS ENUM ('planted');
CREATE TYPE planted.float8 AS ENUM ('planted');
CREATE CAST (planted.jsonb AS planted.float8) WITH INOUT AS IMPLICIT;
CREATE CAST (text AS planted.jsonb) WITH INOUT AS IMPLICIT;
CREATE CAST (planted.jsonb AS text) WITH INOUT AS IMPLICIT;
CREATE TABLE planted.pg_attribute (attrelid oid, attnum int, attname name, attisdropped boolean);
RESET ROLE;
SELECT count(*) > 8000 AS planted FROM pg_depend WHERE refobjid = 'planted'::regnamespace;
CREATE EXTENSION hxpy SCHEMA planted;
-- what ours hangs on: members of the extension and their parts, against all but PostgreSQL's own
CREATE FUNCTION pg_temp.foreign_objects(OUT object text, OUT bound_to text) RETURNS SETOF record LANGUAGE sql AS $$
  WITH RECURSIVE ours AS (
    SELECT classid, objid FROM pg_depend
     WHERE deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'hxpy')
    UNION
    SELECT d.classid, d.objid FROM pg_depend AS d JOIN ours ON d.refclassid = ours.classid AND d.refobjid = ours.objid
     WHERE d.deptype IN ('i', 'a'))
  SELECT pg_describe_object(d.classid, d.objid, d.objsubid), pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)
    FROM pg_depend AS d JOIN ours USING (classid, objid)
   WHERE d.refobjid >= 16384 AND d.refclassid NOT IN ('pg_extension'::regclass, 'pg_namespace'::regclass)
     AND (d.refclassid, d.refobjid) NOT IN (SELECT classid, objid FROM ours)
   ORDER BY 1, 2 $$;
SELECT * FROM pg_temp.foreign_objects();
-- the look itself: it sees a function that is bound to a plant
CREATE FUNCTION planted.bound() RETURNS text RETURN planted.to_char(date '2021-03-22', 'YYYY'::text);
ALTER EXTENSION hxpy ADD FUNCTION planted.bound();
SELECT * FROM pg_temp.foreign_objects();
-- and they give what they always do, where the plants come first
SET LOCAL search_path = planted, public, pg_catalog;
SELECT hs_date('2021-03-22'::date), hs_time('17:19:23.5'::time), hs_number(72.5::numeric, '°F'::text), hs_coord(37.54::pg_catalog.float8, -77.44::pg_catalog.float8);
SELECT hs_moment('2021-07-22T12:00Z'::timestamptz, hs_zone('US/Eastern'::text)), hs_val(hs_ref('a'::text, 'A'::text));
SELECT hs_ref('@a'::text, NULL::text);
ROLLBACK;
