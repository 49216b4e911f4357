/* hxpy--1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION hxpy" to load this file. \quit

-- Haystack's own kinds of text -----------------------------------------------

CREATE DOMAIN hs_ref AS text
  CONSTRAINT hs_ref_check CHECK (VALUE ~ '^[A-Za-z0-9_:.~-]+$');
COMMENT ON DOMAIN hs_ref IS 'identifier of a Haystack Ref, without the @';

CREATE DOMAIN hs_uri AS text;
COMMENT ON DOMAIN hs_uri IS 'Haystack Uri';

CREATE DOMAIN hs_symbol AS text
  CONSTRAINT hs_symbol_check CHECK (VALUE ~ '^[A-Za-z0-9_:.~-]+$');
COMMENT ON DOMAIN hs_symbol IS 'identifier of a Haystack Symbol, without the ^';

-- Sessions ---------------------------------------------------------------------

CREATE FUNCTION py_open(session text DEFAULT 'default', image text DEFAULT NULL,
                        network text DEFAULT NULL, timeout interval DEFAULT NULL,
                        persistent boolean DEFAULT NULL, log_level text DEFAULT NULL,
                        memory text DEFAULT NULL, cpus float8 DEFAULT NULL)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_open(text, text, text, interval, boolean, text, text, float8) IS
  'open a Python session, or return the open one; returns its name';

CREATE FUNCTION py_init(code text)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_init(text) IS 'run code once in the default session''s life';

CREATE FUNCTION py_init(session text, code text)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_init(text, text) IS
  'run code once in a session''s life; later calls do nothing';

CREATE FUNCTION py_timeout(timeout interval)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION py_timeout(interval) IS 'limit each later call in the default session';

CREATE FUNCTION py_timeout(session text, timeout interval)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION py_timeout(text, interval) IS
  'limit each later call in a session; 0 for none, NULL for hxpy.eval_timeout';

CREATE FUNCTION py_define(name text, value "any")
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_define(text, "any") IS
  'set a Python variable of the default session to a SQL value';

CREATE FUNCTION py_define(session text, name text, value "any")
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_define(text, text, "any") IS
  'set a Python variable of a session to a SQL value';

CREATE FUNCTION py_exec(code text)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_exec(text) IS 'run Python statements in the default session';

CREATE FUNCTION py_exec(session text, code text)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_exec(text, text) IS
  'run Python statements in a session; what they print comes as NOTICE';

CREATE FUNCTION py_eval(expr text)
RETURNS jsonb AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_eval(text) IS
  'value of a Python expression in the default session, in Hayson';

CREATE FUNCTION py_eval(session text, expr text)
RETURNS jsonb AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_eval(text, text) IS
  'value of a Python expression in a session, in Hayson';

CREATE FUNCTION py_eval(session text, expr text, "as" anyelement)
RETURNS anyelement AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_eval(text, text, anyelement) IS
  'value of a Python expression in a session, as the type of the last argument';

-- Tables -------------------------------------------------------------------------

CREATE FUNCTION py_define_grid(session text, name text, query text, meta jsonb DEFAULT NULL)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_define_grid(text, text, text, jsonb) IS
  'set a Python variable to a query''s rows, as a Grid';

CREATE FUNCTION py_define_matrix(session text, name text, query text)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_define_matrix(text, text, text) IS
  'set a Python variable to a query''s numbers, as a 2-D ndarray';

CREATE FUNCTION py_eval_grid(session text, expr text)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_eval_grid(text, text) IS
  'rows of a table value of Python, with the columns of the column list';

CREATE FUNCTION py_eval_grid(session text, expr text, "as" anyelement)
RETURNS SETOF anyelement AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_eval_grid(text, text, anyelement) IS
  'rows of a table value of Python, as the row type of the last argument';

CREATE FUNCTION py_eval_rows(session text, expr text)
RETURNS SETOF jsonb AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_eval_rows(text, text) IS
  'rows of a table value of Python, each as a Hayson dict';

CREATE FUNCTION py_eval_into(session text, expr text, "table" text, if_exists text DEFAULT 'fail')
RETURNS bigint AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_eval_into(text, text, text, text) IS
  'write a table value of Python into a new or existing table; returns the number of rows';

CREATE FUNCTION py_apply(session text, func text, query text, arrays boolean DEFAULT false)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_apply(text, text, text, boolean) IS
  'a query''s rows in batches through a Python callable, and its rows back';

CREATE FUNCTION py_agg_transfn(state internal, session text, func text, VARIADIC "any")
RETURNS internal AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION py_agg_transfn(internal, text, text, "any") IS 'transition function of py_agg';

CREATE FUNCTION py_agg_finalfn(state internal)
RETURNS jsonb AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_agg_finalfn(internal) IS 'final function of py_agg';

CREATE AGGREGATE py_agg(session text, func text, VARIADIC "any")
  (SFUNC = py_agg_transfn, STYPE = internal, FINALFUNC = py_agg_finalfn,
   FINALFUNC_MODIFY = READ_WRITE, PARALLEL = UNSAFE);
COMMENT ON AGGREGATE py_agg(text, text, VARIADIC "any") IS
  'a group''s columns through a Python callable, its value in Hayson';

-- The end of sessions, and what is open --------------------------------------------

CREATE FUNCTION py_close()
RETURNS boolean AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION py_close() IS 'end the default session; false when it is not open';

CREATE FUNCTION py_close(session text)
RETURNS boolean AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION py_close(text) IS 'end a session; false when it is not open';

CREATE FUNCTION py_close_all()
RETURNS integer AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION py_close_all() IS
  'end all sessions of the current role in this connection; returns how many';

CREATE FUNCTION py_sessions(OUT session text, OUT role text, OUT container text,
                            OUT image text, OUT state text, OUT opened timestamptz,
                            OUT last_used timestamptz, OUT timeout interval)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 8;
COMMENT ON FUNCTION py_sessions() IS
  'sessions of the current role in this connection';

-- Who may use Python ---------------------------------------------------------------

REVOKE ALL ON FUNCTION
  py_open(text, text, text, interval, boolean, text, text, float8),
  py_init(text), py_init(text, text), py_timeout(interval), py_timeout(text, interval),
  py_define(text, "any"), py_define(text, text, "any"), py_exec(text), py_exec(text, text),
  py_eval(text), py_eval(text, text), py_eval(text, text, anyelement),
  py_define_grid(text, text, text, jsonb), py_define_matrix(text, text, text),
  py_eval_grid(text, text), py_eval_grid(text, text, anyelement), py_eval_rows(text, text),
  py_eval_into(text, text, text, text), py_apply(text, text, text, boolean),
  py_agg_transfn(internal, text, text, "any"), py_agg_finalfn(internal),
  py_agg(text, text, "any"),
  py_close(), py_close(text), py_close_all(), py_sessions()
FROM PUBLIC;
