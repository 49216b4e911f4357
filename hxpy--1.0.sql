/* hxpy--1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION hxpy" to load this file. \quit

-- Haystack's own kinds of text -----------------------------------------------

CREATE DOMAIN hs_ref AS text
  CONSTRAINT hs_ref_check CHECK (VALUE OPERATOR(pg_catalog.~) '^[A-Za-z0-9_:.~-]+$');
COMMENT ON DOMAIN hs_ref IS 'identifier of a Haystack Ref, without the @';

CREATE DOMAIN hs_uri AS text;
COMMENT ON DOMAIN hs_uri IS 'Haystack Uri';

CREATE DOMAIN hs_symbol AS text
  CONSTRAINT hs_symbol_check CHECK (VALUE OPERATOR(pg_catalog.~) '^[A-Za-z0-9_:.~-]+$');
COMMENT ON DOMAIN hs_symbol IS 'identifier of a Haystack Symbol, without the ^';

-- Sessions ---------------------------------------------------------------------
--
-- The session comes first and may be left out; then hxpy.session says which one it is.

CREATE FUNCTION py_open(session text DEFAULT NULL, image text DEFAULT NULL,
                        network text DEFAULT NULL, timeout interval DEFAULT NULL,
                        persistent boolean DEFAULT NULL, log_level text DEFAULT NULL,
                        memory text DEFAULT NULL, cpus float8 DEFAULT NULL)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_open(text, text, text, interval, boolean, text, text, float8) IS
  'open a Python session, that of hxpy.session unless it is named, or return the open one; returns its name';

CREATE FUNCTION py_init(code text)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_init(text) IS 'run code once in the life of the session of hxpy.session';

CREATE FUNCTION py_init(session text, code text)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_init(text, text) IS
  'run code once in a session''s life; later calls do nothing';

CREATE FUNCTION py_init(name text, value "any")
RETURNS text AS 'MODULE_PATHNAME', 'py_init_value' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_init(text, "any") IS
  'set a Python variable once in the life of the session of hxpy.session; its value is no text';

CREATE FUNCTION py_init(session text, name text, value "any")
RETURNS text AS 'MODULE_PATHNAME', 'py_init_value' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_init(text, text, "any") IS
  'set a Python variable once in a session''s life; later calls for that name do nothing';

CREATE FUNCTION py_timeout(timeout interval)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION py_timeout(interval) IS 'limit the time that each later call in the session of hxpy.session waits for Python';

CREATE FUNCTION py_timeout(session text, timeout interval)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION py_timeout(text, interval) IS
  'limit the time that each later call in a session waits for Python; 0 for none, NULL for hxpy.eval_timeout';

CREATE FUNCTION py_define(name text, value "any")
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_define(text, "any") IS
  'set a Python variable of the session of hxpy.session to a SQL value';

CREATE FUNCTION py_define(session text, name text, value "any")
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_define(text, text, "any") IS
  'set a Python variable of a session to a SQL value';

CREATE FUNCTION py_exec(code text)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_exec(text) IS 'run Python statements in the session of hxpy.session';

CREATE FUNCTION py_exec(session text, code text)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_exec(text, text) IS
  'run Python statements in a session; what they print comes as NOTICE';

CREATE FUNCTION py_eval(expr text)
RETURNS jsonb AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_eval(text) IS
  'value of a Python expression in the session of hxpy.session, in Hayson';

CREATE FUNCTION py_eval(session text, expr text)
RETURNS jsonb AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_eval(text, text) IS
  'value of a Python expression in a session, in Hayson';

CREATE FUNCTION py_eval(expr text, "as" anyelement)
RETURNS anyelement AS 'MODULE_PATHNAME', 'py_eval_as' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_eval(text, anyelement) IS
  'value of a Python expression in the session of hxpy.session, as the type of the last argument; for text name the session, too';

CREATE FUNCTION py_eval(session text, expr text, "as" anyelement)
RETURNS anyelement AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_eval(text, text, anyelement) IS
  'value of a Python expression in a session, as the type of the last argument';

-- The type of the result is one of the arguments, so that they are none of the callable's;
-- "any" takes no fewer than one, so that calls without arguments are functions of their own.
CREATE FUNCTION py_call(func text)
RETURNS jsonb AS 'MODULE_PATHNAME', 'py_call_default' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION py_call(text) IS
  'what a callable of the session of hxpy.session returns, in Hayson';

CREATE FUNCTION py_call(session text, func text)
RETURNS jsonb AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION py_call(text, text) IS 'what a callable of a session returns, in Hayson';

CREATE FUNCTION py_call(func text, "as" anyelement)
RETURNS anyelement AS 'MODULE_PATHNAME', 'py_call_default' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION py_call(text, anyelement) IS
  'what a callable of the session of hxpy.session returns, as the type of a NULL; for text name the session, too';

CREATE FUNCTION py_call(session text, func text, "as" anyelement)
RETURNS anyelement AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION py_call(text, text, anyelement) IS
  'what a callable of a session returns, as the type of a NULL';

CREATE FUNCTION py_call(func text, "as" anyelement, VARIADIC "any")
RETURNS anyelement AS 'MODULE_PATHNAME', 'py_call_default' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION py_call(text, anyelement, VARIADIC "any") IS
  'what a callable of the session of hxpy.session returns for the arguments, as the type of a NULL before them; for text name the session, too';

CREATE FUNCTION py_call(session text, func text, "as" anyelement, VARIADIC "any")
RETURNS anyelement AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION py_call(text, text, anyelement, VARIADIC "any") IS
  'what a callable of a session returns for the arguments, as the type of a NULL before them';

-- Tables -------------------------------------------------------------------------

CREATE FUNCTION py_define_grid(name text, query text, meta jsonb DEFAULT NULL)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_define_grid(text, text, jsonb) IS
  'set a Python variable of the session of hxpy.session to a query''s rows, as a Grid';

CREATE FUNCTION py_define_grid(session text, name text, query text, meta jsonb DEFAULT NULL)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_define_grid(text, text, text, jsonb) IS
  'set a Python variable to a query''s rows, as a Grid';

CREATE FUNCTION py_define_matrix(name text, query text)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_define_matrix(text, text) IS
  'set a Python variable of the session of hxpy.session to a query''s numbers, as a 2-D ndarray';

CREATE FUNCTION py_define_matrix(session text, name text, query text)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_define_matrix(text, text, text) IS
  'set a Python variable to a query''s numbers, as a 2-D ndarray';

CREATE FUNCTION py_support(internal)
RETURNS internal AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION py_support(internal) IS 'planner support of functions that stream rows';

CREATE FUNCTION py_eval_grid(expr text)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
SUPPORT py_support;
COMMENT ON FUNCTION py_eval_grid(text) IS
  'rows of a table value of Python in the session of hxpy.session, with the columns of the column list';

CREATE FUNCTION py_eval_grid(session text, expr text)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
SUPPORT py_support;
COMMENT ON FUNCTION py_eval_grid(text, text) IS
  'rows of a table value of Python, with the columns of the column list';

CREATE FUNCTION py_eval_grid(expr text, "as" anyelement)
RETURNS SETOF anyelement AS 'MODULE_PATHNAME', 'py_eval_grid_as' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
SUPPORT py_support;
COMMENT ON FUNCTION py_eval_grid(text, anyelement) IS
  'rows of a table value of Python in the session of hxpy.session, as the row type of the last argument';

CREATE FUNCTION py_eval_grid(session text, expr text, "as" anyelement)
RETURNS SETOF anyelement AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
SUPPORT py_support;
COMMENT ON FUNCTION py_eval_grid(text, text, anyelement) IS
  'rows of a table value of Python, as the row type of the last argument';

CREATE FUNCTION py_eval_rows(expr text)
RETURNS SETOF jsonb AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
SUPPORT py_support;
COMMENT ON FUNCTION py_eval_rows(text) IS
  'rows of a table value of Python in the session of hxpy.session, each as a Hayson dict';

CREATE FUNCTION py_eval_rows(session text, expr text)
RETURNS SETOF jsonb AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
SUPPORT py_support;
COMMENT ON FUNCTION py_eval_rows(text, text) IS
  'rows of a table value of Python, each as a Hayson dict';

-- Were if_exists a text, a call with three texts could be meant for either function.
CREATE FUNCTION py_eval_into(expr text, "table" text, if_exists name DEFAULT 'fail')
RETURNS bigint AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_eval_into(text, text, name) IS
  'write a table value of Python in the session of hxpy.session into a table; if_exists is given by name';

CREATE FUNCTION py_eval_into(session text, expr text, "table" text, if_exists text DEFAULT 'fail')
RETURNS bigint AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_eval_into(text, text, text, text) IS
  'write a table value of Python into a new or existing table; returns the number of rows';

CREATE FUNCTION py_apply(func text, query text, arrays boolean DEFAULT false, by "any" DEFAULT NULL,
                         whole boolean DEFAULT false, workers integer DEFAULT NULL,
                         ordered boolean DEFAULT true)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
SUPPORT py_support;
COMMENT ON FUNCTION py_apply(text, text, boolean, "any", boolean, integer, boolean) IS
  'a query''s rows through a Python callable of the session of hxpy.session, and its rows back: a batch at a time, which is cut anywhere; with by a group, with whole all; in so many processes (workers)';

CREATE FUNCTION py_apply(session text, func text, query text, arrays boolean DEFAULT false,
                         by "any" DEFAULT NULL, whole boolean DEFAULT false,
                         workers integer DEFAULT NULL, ordered boolean DEFAULT true)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
SUPPORT py_support;
COMMENT ON FUNCTION py_apply(text, text, text, boolean, "any", boolean, integer, boolean) IS
  'a query''s rows through a Python callable, and its rows back: a batch at a time, which is cut anywhere; with by a group, with whole all; in so many processes (workers)';

CREATE FUNCTION py_agg_transfn(state internal, session text, func text, VARIADIC "any")
RETURNS internal AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION py_agg_transfn(internal, text, text, "any") IS 'transition function of py_agg';

CREATE FUNCTION py_agg_transfn(state internal, func text, VARIADIC "any")
RETURNS internal AS 'MODULE_PATHNAME', 'py_agg_transfn_default' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION py_agg_transfn(internal, text, "any") IS
  'transition function of py_agg without a session';

CREATE FUNCTION py_agg_finalfn(state internal)
RETURNS jsonb AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION py_agg_finalfn(internal) IS 'final function of py_agg';

CREATE AGGREGATE py_agg(session text, func text, VARIADIC "any")
  (SFUNC = py_agg_transfn, STYPE = internal, SSPACE = 512, FINALFUNC = py_agg_finalfn,
   FINALFUNC_MODIFY = READ_ONLY, PARALLEL = UNSAFE);
COMMENT ON AGGREGATE py_agg(text, text, VARIADIC "any") IS
  'a group''s columns through a Python callable, its value in Hayson';

CREATE AGGREGATE py_agg(func text, VARIADIC "any")
  (SFUNC = py_agg_transfn, STYPE = internal, SSPACE = 512, FINALFUNC = py_agg_finalfn,
   FINALFUNC_MODIFY = READ_ONLY, PARALLEL = UNSAFE);
COMMENT ON AGGREGATE py_agg(text, VARIADIC "any") IS
  'a group''s columns through a Python callable of the session of hxpy.session; the first one is no text';

-- Pictures ---------------------------------------------------------------------------
--
-- Were format and kind texts where no session is given, a call with them could be meant for
-- either function.

CREATE FUNCTION py_plot(expr text, format name DEFAULT 'png', width float8 DEFAULT NULL,
                        height float8 DEFAULT NULL, dpi float8 DEFAULT NULL)
RETURNS bytea AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_plot(text, name, float8, float8, float8) IS
  'the picture of a figure in the session of hxpy.session, as PNG or SVG; format is given by name';

CREATE FUNCTION py_plot(session text, expr text, format text DEFAULT 'png',
                        width float8 DEFAULT NULL, height float8 DEFAULT NULL,
                        dpi float8 DEFAULT NULL)
RETURNS bytea AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_plot(text, text, text, float8, float8, float8) IS
  'the picture of a figure of matplotlib, or of what has one of itself, as PNG or SVG';

CREATE FUNCTION py_plot_text(expr text, kind name DEFAULT NULL, width integer DEFAULT NULL,
                             height integer DEFAULT NULL)
RETURNS SETOF text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 20;
COMMENT ON FUNCTION py_plot_text(text, name, integer, integer) IS
  'a chart of a value in the session of hxpy.session, made of characters; kind is given by name';

CREATE FUNCTION py_plot_text(session text, expr text, kind text DEFAULT NULL,
                             width integer DEFAULT NULL, height integer DEFAULT NULL)
RETURNS SETOF text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 20;
COMMENT ON FUNCTION py_plot_text(text, text, text, integer, integer) IS
  'a chart of a value, made of characters: line, scatter, bar, hist, spark; a row a line';

REVOKE ALL ON FUNCTION
  py_plot(text, name, float8, float8, float8), py_plot(text, text, text, float8, float8, float8),
  py_plot_text(text, name, integer, integer), py_plot_text(text, text, text, integer, integer)
FROM PUBLIC;

-- Values that last --------------------------------------------------------------------

CREATE FUNCTION py_save(expr text)
RETURNS bytea AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_save(text) IS
  'a value of the session of hxpy.session as bytes, for py_load in any later session';

CREATE FUNCTION py_save(session text, expr text)
RETURNS bytea AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_save(text, text) IS
  'a session''s value as bytes, for py_load in any later session';

CREATE FUNCTION py_save_lo(expr text)
RETURNS oid AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_save_lo(text) IS
  'a value of the session of hxpy.session as a new large object, for py_load_lo; of any size';

CREATE FUNCTION py_save_lo(session text, expr text)
RETURNS oid AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_save_lo(text, text) IS
  'a session''s value as a new large object, for py_load_lo; of any size';

CREATE FUNCTION py_load(name text, data bytea)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_load(text, bytea) IS
  'set a Python variable of the session of hxpy.session to a value that py_save has saved; runs code, in the sandbox';

CREATE FUNCTION py_load(session text, name text, data bytea)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_load(text, text, bytea) IS
  'set a Python variable to a value that py_save has saved; runs code, in the sandbox';

CREATE FUNCTION py_load_lo(name text, loid oid)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_load_lo(text, oid) IS
  'set a Python variable of the session of hxpy.session to a value that py_save_lo has saved; runs code, in the sandbox';

CREATE FUNCTION py_load_lo(session text, name text, loid oid)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_load_lo(text, text, oid) IS
  'set a Python variable to a value that py_save_lo has saved; runs code, in the sandbox';

-- Sessions that are forked from others, with their variables -------------------------

CREATE FUNCTION py_clone(new_name text)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_clone(text) IS
  'fork the session of hxpy.session, with all its variables, into a new one; returns its name';

CREATE FUNCTION py_clone(session text, new_name text)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_clone(text, text) IS
  'fork a session, with all its variables, into a new one; returns its name';

CREATE FUNCTION py_share()
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_share() IS
  'let sessions that the role opens from now on be forked from the session of hxpy.session, with its variables';

CREATE FUNCTION py_share(session text)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_share(text) IS
  'let sessions that the role opens from now on be forked from this one, with its variables';

CREATE FUNCTION py_unshare()
RETURNS boolean AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_unshare() IS
  'let the role''s sessions be opened without variables again; false when there was nothing shared';

-- The end of sessions, and what is open --------------------------------------------

CREATE FUNCTION py_close()
RETURNS boolean AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION py_close() IS 'end the session of hxpy.session; false when it is not open';

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

CREATE FUNCTION py_packages(session text DEFAULT NULL, OUT name text, OUT version text)
RETURNS SETOF record LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000 ROWS 100
BEGIN ATOMIC
  SELECT p.name, p.version FROM py_eval_grid(
    coalesce(session, pg_catalog.current_setting('hxpy.session')), 'sorted({(d.name, d.version) for d in __import__("importlib.metadata").metadata.distributions()
             if d.name}, key=lambda p: (p[0].lower(), p))'::text) AS p(name text, version text);
END;
COMMENT ON FUNCTION py_packages(text) IS 'the Python packages of a session''s image, with versions';

-- Exploring ----------------------------------------------------------------------

CREATE FUNCTION py_show(expr text, rows integer DEFAULT 20, width integer DEFAULT NULL)
RETURNS SETOF text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 20;
COMMENT ON FUNCTION py_show(text, integer, integer) IS
  'lines that show an expression''s value: tables aligned, with dtypes';
CREATE FUNCTION py_show(session text, expr text, rows integer DEFAULT 20, width integer DEFAULT NULL)
RETURNS SETOF text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 20;
COMMENT ON FUNCTION py_show(text, text, integer, integer) IS
  'lines that show an expression''s value: tables aligned, with dtypes';

CREATE FUNCTION py_vars(session text DEFAULT NULL, OUT name text, OUT type text, OUT shape text,
                        OUT memory bigint)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 20;
COMMENT ON FUNCTION py_vars(text) IS
  'a session''s variables, without modules: type, shape and bytes';

CREATE FUNCTION py_help(expr text, full boolean DEFAULT false)
RETURNS SETOF text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 20;
COMMENT ON FUNCTION py_help(text, boolean) IS
  'signature and first paragraph of what documents an expression''s value, or all of it';
CREATE FUNCTION py_help(session text, expr text, full boolean DEFAULT false)
RETURNS SETOF text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 20;
COMMENT ON FUNCTION py_help(text, text, boolean) IS
  'signature and first paragraph of what documents an expression''s value, or all of it';

CREATE FUNCTION py_complete(prefix text)
RETURNS SETOF text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 20;
COMMENT ON FUNCTION py_complete(text) IS
  'how a name, an attribute or a table''s column can go on';
CREATE FUNCTION py_complete(session text, prefix text)
RETURNS SETOF text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 20;
COMMENT ON FUNCTION py_complete(text, text) IS
  'how a name, an attribute or a table''s column can go on';

CREATE FUNCTION py_columns(expr text)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_columns(text) IS
  'the column list that py_eval_grid needs for an expression''s value: AS t(a bigint, ...)';
CREATE FUNCTION py_columns(session text, expr text)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_columns(text, text) IS
  'the column list that py_eval_grid needs for an expression''s value: AS t(a bigint, ...)';

-- Haystack: values, grids and codecs ---------------------------------------------
--
-- Bodies are bound when they are created, so no search_path leads them astray, and
-- the extension can be moved to another schema.  At that moment whoever may create in
-- the schema of the extension could have put an operator or a function there that
-- fits better than PostgreSQL's: so whatever is PostgreSQL's is named with pg_catalog,
-- and what looks up an operator in silence is not used (BETWEEN, IN, CASE x WHEN, LIKE,
-- NULLIF, IS DISTINCT FROM).  Our own functions get exactly the types they have.
--
-- Builders and accessors read nothing
-- but their arguments: what they call is marked stable for the sake of settings (lc_time,
-- DateStyle) that do not matter here.  A time zone's rules are immutable as far as
-- PostgreSQL itself takes them to be, in timezone(text, timestamptz).

-- Immutable, so that what calls it can be inlined; but then PostgreSQL raises the error when
-- it plans, if it knows the message and not yet whether CASE will come to it.
CREATE FUNCTION hs_fail(message text)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RAISE EXCEPTION USING MESSAGE = message, ERRCODE = 'invalid_parameter_value';
END $$;
COMMENT ON FUNCTION hs_fail(text) IS 'raise the error of the Haystack functions';

CREATE FUNCTION hs_marker() RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{"_kind": "marker"}'::jsonb;
COMMENT ON FUNCTION hs_marker() IS 'Hayson of Marker: the tag is there';

CREATE FUNCTION hs_na() RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{"_kind": "na"}'::jsonb;
COMMENT ON FUNCTION hs_na() IS 'Hayson of NA: the value is not available';

CREATE FUNCTION hs_remove() RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{"_kind": "remove"}'::jsonb;
COMMENT ON FUNCTION hs_remove() IS 'Hayson of Remove: the tag goes away';

-- hs_ref, hs_uri and hs_symbol are domains, too.  PostgreSQL takes hs_ref(x) for x::hs_ref
-- unless a function has exactly x's type, so there is one for each type that an id may have.  A
-- literal of no type, hs_ref('a'), is always a cast, unless there is a function of type unknown,
-- which only C may have.

CREATE FUNCTION hs_ref(id text, dis text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN id OPERATOR(pg_catalog.~) '^[A-Za-z0-9_:.~-]+$'
       THEN pg_catalog.jsonb_object(
              CASE WHEN dis IS NULL THEN ARRAY['_kind', 'ref', 'val', id]
              ELSE ARRAY['_kind', 'ref', 'val', id, 'dis', dis] END)
       WHEN id IS NOT NULL
       THEN hs_fail('"' OPERATOR(pg_catalog.||) id OPERATOR(pg_catalog.||)
                    '" is no id of a Ref: it may hold letters, digits and _:.~- only')
       END;
COMMENT ON FUNCTION hs_ref(text, text) IS 'Hayson of a Ref: id without @, display name';

CREATE FUNCTION hs_ref(unknown) RETURNS jsonb AS 'MODULE_PATHNAME', 'py_literal'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION hs_ref(unknown) IS 'Hayson of a Ref, from a literal';

CREATE FUNCTION hs_ref(id varchar) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hs_ref(id::text, NULL::text);
COMMENT ON FUNCTION hs_ref(varchar) IS 'Hayson of a Ref';

CREATE FUNCTION hs_ref(id hs_ref) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hs_ref(id::text, NULL::text);
COMMENT ON FUNCTION hs_ref(hs_ref) IS 'Hayson of a Ref';

CREATE FUNCTION hs_ref(id uuid) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hs_ref(id::text, NULL::text);
COMMENT ON FUNCTION hs_ref(uuid) IS 'Hayson of a Ref';

CREATE FUNCTION hs_ref(id integer) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hs_ref(id::text, NULL::text);
COMMENT ON FUNCTION hs_ref(integer) IS 'Hayson of a Ref';

CREATE FUNCTION hs_ref(id bigint) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hs_ref(id::text, NULL::text);
COMMENT ON FUNCTION hs_ref(bigint) IS 'Hayson of a Ref';

CREATE FUNCTION hs_uri(uri text) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN uri IS NOT NULL THEN pg_catalog.jsonb_object(ARRAY['_kind', 'uri', 'val', uri]) END;
COMMENT ON FUNCTION hs_uri(text) IS 'Hayson of a Uri';

CREATE FUNCTION hs_uri(unknown) RETURNS jsonb AS 'MODULE_PATHNAME', 'py_literal'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION hs_uri(unknown) IS 'Hayson of a Uri, from a literal';

CREATE FUNCTION hs_uri(uri varchar) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hs_uri(uri::text);
COMMENT ON FUNCTION hs_uri(varchar) IS 'Hayson of a Uri';

CREATE FUNCTION hs_uri(uri hs_uri) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hs_uri(uri::text);
COMMENT ON FUNCTION hs_uri(hs_uri) IS 'Hayson of a Uri';

CREATE FUNCTION hs_symbol(id text) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN id OPERATOR(pg_catalog.~) '^[A-Za-z0-9_:.~-]+$'
       THEN pg_catalog.jsonb_object(ARRAY['_kind', 'symbol', 'val', id])
       WHEN id IS NOT NULL
       THEN hs_fail('"' OPERATOR(pg_catalog.||) id OPERATOR(pg_catalog.||)
                    '" is no Symbol: it may hold letters, digits and _:.~- only')
       END;
COMMENT ON FUNCTION hs_symbol(text) IS 'Hayson of a Symbol, without ^';

CREATE FUNCTION hs_symbol(unknown) RETURNS jsonb AS 'MODULE_PATHNAME', 'py_literal'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION hs_symbol(unknown) IS 'Hayson of a Symbol, from a literal';

CREATE FUNCTION hs_symbol(id varchar) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hs_symbol(id::text);
COMMENT ON FUNCTION hs_symbol(varchar) IS 'Hayson of a Symbol';

CREATE FUNCTION hs_symbol(id hs_symbol) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hs_symbol(id::text);
COMMENT ON FUNCTION hs_symbol(hs_symbol) IS 'Hayson of a Symbol';

CREATE FUNCTION hs_float_text(val float8)
RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET extra_float_digits = 1
RETURN val::text;
COMMENT ON FUNCTION hs_float_text(float8) IS
  'shortest text that reads back the same, whatever extra_float_digits says';

CREATE FUNCTION hs_number(val float8, unit text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
  WHEN val OPERATOR(pg_catalog.=) 'NaN' AND unit OPERATOR(pg_catalog.<>) ''
  THEN hs_fail(val::text OPERATOR(pg_catalog.||) ' has no unit, but "' OPERATOR(pg_catalog.||)
               coalesce(unit, '') OPERATOR(pg_catalog.||) '" is given')
  WHEN val OPERATOR(pg_catalog.=) ANY (ARRAY['NaN', 'Infinity', '-Infinity']::float8[])
  THEN pg_catalog.jsonb_object(
         ARRAY['_kind', 'number', 'val',
               CASE WHEN val OPERATOR(pg_catalog.=) 'NaN' THEN 'NaN'
                    WHEN val OPERATOR(pg_catalog.>) 0::float8 THEN 'INF' ELSE '-INF' END]
         OPERATOR(pg_catalog.||)
         CASE WHEN unit OPERATOR(pg_catalog.<>) '' THEN ARRAY['unit', unit] ELSE '{}' END)
  WHEN unit OPERATOR(pg_catalog.<>) ''
  THEN ('{"_kind": "number", "val": ' OPERATOR(pg_catalog.||) hs_float_text(val)
        OPERATOR(pg_catalog.||) '}')::jsonb
       OPERATOR(pg_catalog.||) pg_catalog.jsonb_object(ARRAY['unit', unit])
  ELSE hs_float_text(val)::jsonb END;
COMMENT ON FUNCTION hs_number(float8, text) IS 'Hayson of a Number, with a unit if one is given';

CREATE FUNCTION hs_number(val numeric, unit text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
  WHEN val OPERATOR(pg_catalog.=) ANY (ARRAY['NaN', 'Infinity', '-Infinity']::numeric[])
  THEN hs_number(val::float8, unit)
  WHEN val OPERATOR(pg_catalog.<>) pg_catalog.trunc(val)
       AND hs_float_text(val::float8)::numeric OPERATOR(pg_catalog.<>) val
  THEN hs_fail(val::text OPERATOR(pg_catalog.||)
               ' has more digits than a Number holds; round it, or cast it to float8')
  WHEN unit OPERATOR(pg_catalog.<>) ''
  THEN ('{"_kind": "number", "val": ' OPERATOR(pg_catalog.||) pg_catalog.trim_scale(val)::text
        OPERATOR(pg_catalog.||) '}')::jsonb
       OPERATOR(pg_catalog.||) pg_catalog.jsonb_object(ARRAY['unit', unit])
  ELSE pg_catalog.trim_scale(val)::text::jsonb END;
COMMENT ON FUNCTION hs_number(numeric, text) IS
  'Hayson of a Number; whole numbers of any size, others as a float holds them';

CREATE FUNCTION hs_number(val bigint, unit text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hs_number(val::numeric, unit);
COMMENT ON FUNCTION hs_number(bigint, text) IS 'Hayson of a Number';

CREATE FUNCTION hs_date(val date) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN val OPERATOR(pg_catalog.>=) '0001-01-01'
                 AND val OPERATOR(pg_catalog.<=) '9999-12-31'
       THEN pg_catalog.jsonb_object(ARRAY['_kind', 'date', 'val',
              pg_catalog.to_char(val::timestamp, 'YYYY-MM-DD')])
       WHEN val IS NOT NULL
       THEN hs_fail('date ' OPERATOR(pg_catalog.||) val::text OPERATOR(pg_catalog.||)
                    ' lies outside of the years 1 to 9999') END;
COMMENT ON FUNCTION hs_date(date) IS 'Hayson of a Date';

CREATE FUNCTION hs_time(val time) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN val OPERATOR(pg_catalog.<) '24:00'
       THEN pg_catalog.jsonb_object(ARRAY['_kind', 'time', 'val',
              pg_catalog.to_char(val::interval, 'HH24:MI:SS') OPERATOR(pg_catalog.||)
              pg_catalog.rtrim(pg_catalog.to_char(val::interval, '.US'), '.0')])
       WHEN val IS NOT NULL
       THEN hs_fail('a Time must be before ' OPERATOR(pg_catalog.||) val::text) END;
COMMENT ON FUNCTION hs_time(time) IS 'Hayson of a Time';

CREATE FUNCTION hs_zone(name text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
-- The names of Haystack's zones by their area in tzdata, and the other names that tzdata has for
-- them; as in python/hxpy/haystack/tz.py.
RETURN (
  SELECT CASE WHEN name OPERATOR(pg_catalog.~) '^[A-Za-z0-9_+/-]+$'
              AND (name OPERATOR(pg_catalog.=) segment OR by_name OPERATOR(pg_catalog.>) 0
                   OR pg_catalog.strpos(areas, ' ' OPERATOR(pg_catalog.||)
                        pg_catalog.left(name, -1 OPERATOR(pg_catalog.-)
                                              pg_catalog.length(segment))
                        OPERATOR(pg_catalog.||) ': ') OPERATOR(pg_catalog.>) 0)
              -- a zone newer than this list
              AND (area IS NOT NULL OR name OPERATOR(pg_catalog.<>) segment)
         THEN coalesce(area OPERATOR(pg_catalog.||) '/' OPERATOR(pg_catalog.||) zone, name)
         -- concat is stable: it makes no message when the query is planned
         ELSE hs_fail(pg_catalog.concat('time zone "', name, '" is unknown to Haystack'))::text END
    FROM (VALUES (
     ' Africa: Abidjan Algiers Bissau Cairo Casablanca Ceuta El_Aaiun Johannesburg Juba Khartoum'
     ' Lagos Maputo Monrovia Nairobi Ndjamena Sao_Tome Tripoli Tunis Windhoek America: Adak'
     ' Anchorage Araguaina Asuncion Bahia Bahia_Banderas Barbados Belem Belize Boa_Vista Bogota'
     ' Boise Cambridge_Bay Campo_Grande Cancun Caracas Cayenne Chicago Chihuahua Ciudad_Juarez'
     ' Costa_Rica Coyhaique Cuiaba Danmarkshavn Dawson Dawson_Creek Denver Detroit Edmonton'
     ' Eirunepe El_Salvador Fort_Nelson Fortaleza Glace_Bay Goose_Bay Grand_Turk Guatemala'
     ' Guayaquil Guyana Halifax Havana Hermosillo Inuvik Iqaluit Jamaica Juneau La_Paz Lima'
     ' Los_Angeles Maceio Managua Manaus Martinique Matamoros Mazatlan Menominee Merida Metlakatla'
     ' Mexico_City Miquelon Moncton Monterrey Montevideo New_York Nome Noronha Nuuk Ojinaga Panama'
     ' Paramaribo Phoenix Port-au-Prince Porto_Velho Puerto_Rico Punta_Arenas Rankin_Inlet Recife'
     ' Regina Resolute Rio_Branco Santarem Santiago Santo_Domingo Sao_Paulo Scoresbysund Sitka'
     ' St_Johns Swift_Current Tegucigalpa Thule Tijuana Toronto Vancouver Whitehorse Winnipeg'
     ' Yakutat America/Argentina: Buenos_Aires Catamarca Cordoba Jujuy La_Rioja Mendoza'
     ' Rio_Gallegos Salta San_Juan San_Luis Tucuman Ushuaia America/Indiana: Indianapolis Knox'
     ' Marengo Petersburg Tell_City Vevay Vincennes Winamac America/Kentucky: Louisville Monticello'
     ' America/North_Dakota: Beulah Center New_Salem Antarctica: Casey Davis Macquarie Mawson'
     ' Palmer Rothera Troll Vostok Arctic:  Asia: Almaty Amman Anadyr Aqtau Aqtobe Ashgabat Atyrau'
     ' Baghdad Baku Bangkok Barnaul Beirut Bishkek Chita Colombo Damascus Dhaka Dili Dubai Dushanbe'
     ' Famagusta Gaza Hebron Ho_Chi_Minh Hong_Kong Hovd Irkutsk Jakarta Jayapura Jerusalem Kabul'
     ' Kamchatka Karachi Kathmandu Khandyga Kolkata Krasnoyarsk Kuching Macau Magadan Makassar'
     ' Manila Nicosia Novokuznetsk Novosibirsk Omsk Oral Pontianak Pyongyang Qatar Qostanay'
     ' Qyzylorda Riyadh Sakhalin Samarkand Seoul Shanghai Singapore Srednekolymsk Taipei Tashkent'
     ' Tbilisi Tehran Thimphu Tokyo Tomsk Ulaanbaatar Urumqi Ust-Nera Vladivostok Yakutsk Yangon'
     ' Yekaterinburg Yerevan Atlantic: Azores Bermuda Canary Cape_Verde Faroe Madeira South_Georgia'
     ' Stanley Australia: Adelaide Brisbane Broken_Hill Darwin Eucla Hobart Lindeman Lord_Howe'
     ' Melbourne Perth Sydney Etc: GMT GMT+1 GMT+10 GMT+11 GMT+12 GMT+2 GMT+3 GMT+4 GMT+5 GMT+6'
     ' GMT+7 GMT+8 GMT+9 GMT-1 GMT-10 GMT-11 GMT-12 GMT-13 GMT-14 GMT-2 GMT-3 GMT-4 GMT-5 GMT-6'
     ' GMT-7 GMT-8 GMT-9 UTC Rel Europe: Andorra Astrakhan Athens Belgrade Berlin Brussels'
     ' Bucharest Budapest Chisinau Dublin Gibraltar Helsinki Istanbul Kaliningrad Kirov Kyiv Lisbon'
     ' London Madrid Malta Minsk Moscow Paris Prague Riga Rome Samara Saratov Simferopol Sofia'
     ' Tallinn Tirane Ulyanovsk Vienna Vilnius Volgograd Warsaw Zurich Indian: Chagos Maldives'
     ' Mauritius Pacific: Apia Auckland Bougainville Chatham Easter Efate Fakaofo Fiji Galapagos'
     ' Gambier Guadalcanal Guam Honolulu Kanton Kiritimati Kosrae Kwajalein Marquesas Nauru Niue'
     ' Norfolk Noumea Pago_Pago Palau Pitcairn Port_Moresby Rarotonga Tahiti Tarawa Tongatapu ',
     ' Abidjan: Accra Bamako Banjul Conakry Dakar Freetown Iceland Lome Nouakchott Ouagadougou'
     ' Reykjavik St_Helena Timbuktu Adak: Atka US/Aleutian Adelaide: South Anchorage: US/Alaska'
     ' Ashgabat: Ashkhabad Athens: EET Auckland: McMurdo NZ South_Pole Bangkok: Christmas'
     ' Phnom_Penh Vientiane Belgrade: Ljubljana Podgorica Sarajevo Skopje Zagreb Berlin: Copenhagen'
     ' Jan_Mayen Longyearbyen Oslo Stockholm Brisbane: Queensland Broken_Hill: Yancowinna Brussels:'
     ' Amsterdam CET Luxembourg MET Cairo: Egypt Catamarca: ComodRivadavia Chatham: NZ-CHAT'
     ' Chicago: CST6CDT US/Central Chisinau: Tiraspol Cordoba: Rosario Darwin: North Denver:'
     ' MST7MDT Navajo Shiprock US/Mountain Detroit: US/Michigan Dhaka: Dacca Dubai: Mahe Muscat'
     ' Reunion Dublin: Eire Easter: Chile/EasterIsland Edmonton: Canada/Mountain Yellowknife Faroe:'
     ' Faeroe GMT: GMT+0 GMT-0 GMT0 Greenwich Guadalcanal: Pohnpei Ponape Guam: Saipan Halifax:'
     ' Canada/Atlantic Havana: Cuba Helsinki: Mariehamn Ho_Chi_Minh: Saigon Hobart: Currie Tasmania'
     ' Hong_Kong: Hongkong Honolulu: HST Johnston US/Hawaii Indianapolis: Fort_Wayne'
     ' US/East-Indiana Iqaluit: Pangnirtung Istanbul: Turkey Jerusalem: Israel Tel_Aviv'
     ' Johannesburg: Maseru Mbabane Kanton: Enderbury Kathmandu: Katmandu Knox: Knox_IN'
     ' US/Indiana-Starke Kolkata: Calcutta Kuching: Brunei Kyiv: Kiev Uzhgorod Zaporozhye Lagos:'
     ' Bangui Brazzaville Douala Kinshasa Libreville Luanda Malabo Niamey Porto-Novo Lisbon:'
     ' Portugal WET London: Belfast GB GB-Eire Guernsey Isle_of_Man Jersey Lord_Howe: LHI'
     ' Los_Angeles: PST8PDT US/Pacific Macau: Macao Makassar: Ujung_Pandang Maldives: Kerguelen'
     ' Manaus: Brazil/West Maputo: Blantyre Bujumbura Gaborone Harare Kigali Lubumbashi Lusaka'
     ' Mazatlan: Mexico/BajaSur Melbourne: Victoria Mexico_City: Mexico/General Moscow: W-SU'
     ' Nairobi: Addis_Ababa Antananarivo Asmara Asmera Comoro Dar_es_Salaam Djibouti Kampala'
     ' Mayotte Mogadishu New_York: EST5EDT US/Eastern Noronha: Brazil/DeNoronha Nuuk: Godthab'
     ' Pago_Pago: Midway Samoa US/Samoa Panama: Atikokan Cayman Coral_Harbour EST Paris: Monaco'
     ' Perth: Australia/West Phoenix: Creston MST US/Arizona Port_Moresby: Chuuk DumontDUrville'
     ' Truk Yap Prague: Bratislava Puerto_Rico: Anguilla Antigua Aruba Blanc-Sablon Curacao'
     ' Dominica Grenada Guadeloupe Kralendijk Lower_Princes Marigot Montserrat Port_of_Spain'
     ' St_Barthelemy St_Kitts St_Lucia St_Thomas St_Vincent Tortola Virgin Qatar: Bahrain Regina:'
     ' Canada/Saskatchewan Rio_Branco: Brazil/Acre Porto_Acre Riyadh: Aden Kuwait Syowa Rome:'
     ' San_Marino Vatican Santiago: Chile/Continental Sao_Paulo: Brazil/East Seoul: ROK Shanghai:'
     ' Chongqing Chungking Harbin PRC Singapore: Kuala_Lumpur St_Johns: Canada/Newfoundland Sydney:'
     ' ACT Canberra NSW Taipei: ROC Tarawa: Funafuti Majuro Wake Wallis Tehran: Iran Thimphu:'
     ' Thimbu Tijuana: Ensenada Mexico/BajaNorte Santa_Isabel Tokyo: Japan Toronto: Canada/Eastern'
     ' Montreal Nassau Nipigon Thunder_Bay Tripoli: Libya UTC: UCT Universal Zulu Ulaanbaatar:'
     ' Choibalsan Ulan_Bator Urumqi: Kashgar Vancouver: Canada/Pacific Warsaw: Poland Whitehorse:'
     ' Canada/Yukon Winnipeg: Canada/Central Rainy_River Yangon: Cocos Rangoon Zurich: Busingen'
     ' Vaduz '))
         AS names(areas, aliases),
         pg_catalog.substring(name, '[^/]*$') AS segment,
         pg_catalog.strpos(aliases, ' ' OPERATOR(pg_catalog.||) name
                                    OPERATOR(pg_catalog.||) ' ') AS by_name,
         pg_catalog.strpos(aliases, ' ' OPERATOR(pg_catalog.||) segment
                                    OPERATOR(pg_catalog.||) ' ') AS by_segment,
         coalesce(pg_catalog.substring(
           pg_catalog.left(aliases, CASE WHEN by_name OPERATOR(pg_catalog.>) 0 THEN by_name
                                    ELSE by_segment END), '([^ ]+): [^:]*$'), segment) AS zone,
         pg_catalog.strpos(areas, ' ' OPERATOR(pg_catalog.||) zone
                                  OPERATOR(pg_catalog.||) ' ') AS found,
         pg_catalog.substring(CASE WHEN found OPERATOR(pg_catalog.>) 0
                              THEN pg_catalog.left(areas, found) END, '([^ ]+): [^:]*$') AS area);
COMMENT ON FUNCTION hs_zone(text) IS
  'tzdata''s full name of a time zone, from Haystack''s, a full or an older name';

CREATE FUNCTION hs_moment(ts timestamptz, zone text)
RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
  SELECT CASE WHEN ts OPERATOR(pg_catalog.>=) '0001-01-02 00:00Z'
                   AND ts OPERATOR(pg_catalog.<=) '9999-12-30 00:00Z' THEN
    pg_catalog.jsonb_object(ARRAY['_kind', 'dateTime',
      'tz', pg_catalog.substring(zone, '[^/]*$'), 'val',
      pg_catalog.to_char(shown, 'YYYY-MM-DD"T"HH24:MI:SS')
      OPERATOR(pg_catalog.||) pg_catalog.rtrim(pg_catalog.to_char(shown, '.US'), '.0')
      OPERATOR(pg_catalog.||) CASE WHEN shown OPERATOR(pg_catalog.=) utc THEN 'Z'
                              WHEN shown OPERATOR(pg_catalog.<) utc THEN '-' ELSE '+' END
      OPERATOR(pg_catalog.||) CASE WHEN shown OPERATOR(pg_catalog.=) utc THEN ''
         ELSE pg_catalog.to_char(greatest(shown OPERATOR(pg_catalog.-) utc,
                                          utc OPERATOR(pg_catalog.-) shown), 'HH24:MI') END])
    ELSE hs_fail('datetime ' OPERATOR(pg_catalog.||) ts::text OPERATOR(pg_catalog.||)
                 ' lies outside of the years 1 to 9999') END
    FROM (SELECT utc, CASE WHEN extract(second FROM local OPERATOR(pg_catalog.-) utc)
                                OPERATOR(pg_catalog.=) 0
                      THEN local ELSE utc END       -- Haystack's offsets have no seconds
            FROM pg_catalog.timezone('UTC', ts) AS utc,
                 pg_catalog.timezone(CASE WHEN zone OPERATOR(pg_catalog.=) 'Etc/Rel'
                                     THEN 'UTC' ELSE zone END, ts) AS local)
         AS times(utc, shown));
COMMENT ON FUNCTION hs_moment(timestamptz, text) IS
  'Hayson of a DateTime, the zone by its full name: what hs_datetime does for each row';

CREATE FUNCTION hs_datetime(ts timestamptz, tz text)
RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN hs_moment(ts, hs_zone(tz));
COMMENT ON FUNCTION hs_datetime(timestamptz, text) IS
  'Hayson of a DateTime: the moment in a time zone, given by Haystack''s or tzdata''s name';

CREATE FUNCTION hs_coord(lat float8, lng float8)
RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
-- Whole micro-degrees, written with a decimal point, which Haxall wants.
RETURN CASE
  WHEN lat OPERATOR(pg_catalog.>=) -90::float8 AND lat OPERATOR(pg_catalog.<=) 90::float8
       AND lng OPERATOR(pg_catalog.>=) -180::float8 AND lng OPERATOR(pg_catalog.<=) 180::float8
  THEN ('{"_kind": "coord", "lat": ' OPERATOR(pg_catalog.||)
        pg_catalog.regexp_replace(pg_catalog.trim_scale(
          (lat OPERATOR(pg_catalog.*) 1e6::float8)::bigint::numeric OPERATOR(pg_catalog./) 1e6)::text,
          '^(-?\d+)$', '\1.0')
        OPERATOR(pg_catalog.||) ', "lng": ' OPERATOR(pg_catalog.||)
        pg_catalog.regexp_replace(pg_catalog.trim_scale(
          (lng OPERATOR(pg_catalog.*) 1e6::float8)::bigint::numeric OPERATOR(pg_catalog./) 1e6)::text,
          '^(-?\d+)$', '\1.0')
        OPERATOR(pg_catalog.||) '}')::jsonb
  WHEN lat IS NOT NULL AND lng IS NOT NULL
  THEN hs_fail('C(' OPERATOR(pg_catalog.||) lat::text OPERATOR(pg_catalog.||) ','
               OPERATOR(pg_catalog.||) lng::text OPERATOR(pg_catalog.||)
               ') lies outside of [-90, 90] and [-180, 180] degrees') END;
COMMENT ON FUNCTION hs_coord(float8, float8) IS
  'Hayson of a Coord: latitude and longitude in degrees';

CREATE FUNCTION hs_xstr(type text, val text) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN val IS NOT NULL THEN
         CASE WHEN type OPERATOR(pg_catalog.~) '^[A-Z][A-Za-z0-9_]*$'
         THEN pg_catalog.jsonb_object(ARRAY['_kind', 'xstr', 'type', type, 'val', val])
         WHEN type IS NOT NULL
         THEN hs_fail('"' OPERATOR(pg_catalog.||) type OPERATOR(pg_catalog.||)
                      '" is no type of an XStr: a capital letter, then letters, digits, _') END
       END;
COMMENT ON FUNCTION hs_xstr(text, text) IS 'Hayson of an XStr: its type and its value';

CREATE FUNCTION hs_val(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN pg_catalog.jsonb_typeof(value) OPERATOR(pg_catalog.=) 'object'
       THEN value OPERATOR(pg_catalog.->>) 'val'
       WHEN pg_catalog.jsonb_typeof(value) OPERATOR(pg_catalog.<>) 'array'
       THEN value OPERATOR(pg_catalog.#>>) '{}' END;
COMMENT ON FUNCTION hs_val(jsonb) IS
  'text of a Hayson value, a Ref''s id for example; NULL if it has none, as a Marker';

CREATE FUNCTION hs_num(value jsonb) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN pg_catalog.jsonb_typeof(value) OPERATOR(pg_catalog.=) 'number'
       THEN value::float8
       WHEN pg_catalog.lower(value OPERATOR(pg_catalog.->>) '_kind')
            OPERATOR(pg_catalog.=) ANY (ARRAY['number', 'num'])
       THEN (value OPERATOR(pg_catalog.->>) 'val')::float8 END;
COMMENT ON FUNCTION hs_num(jsonb) IS 'value of a Hayson Number, without its unit; else NULL';

CREATE FUNCTION hs_unit(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN pg_catalog.lower(value OPERATOR(pg_catalog.->>) '_kind')
                 OPERATOR(pg_catalog.=) ANY (ARRAY['number', 'num'])
       THEN value OPERATOR(pg_catalog.->>) 'unit' END;
COMMENT ON FUNCTION hs_unit(jsonb) IS 'unit of a Hayson Number; NULL if it has none';

CREATE FUNCTION hs_ts(value jsonb) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN pg_catalog.lower(value OPERATOR(pg_catalog.->>) '_kind')
                 OPERATOR(pg_catalog.=) 'datetime'
       THEN (value OPERATOR(pg_catalog.->>) 'val')::timestamptz END;
COMMENT ON FUNCTION hs_ts(jsonb) IS 'moment of a Hayson DateTime; else NULL';

CREATE FUNCTION hs_rows(grid jsonb)
RETURNS SETOF jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1000
BEGIN ATOMIC
  SELECT r.value FROM pg_catalog.jsonb_array_elements(
    CASE WHEN pg_catalog.jsonb_typeof(grid) OPERATOR(pg_catalog.=) 'array' THEN grid
         WHEN pg_catalog.jsonb_typeof(grid OPERATOR(pg_catalog.->) 'rows')
              OPERATOR(pg_catalog.=) 'array' THEN grid OPERATOR(pg_catalog.->) 'rows'
         WHEN pg_catalog.lower(grid OPERATOR(pg_catalog.->>) '_kind')
              OPERATOR(pg_catalog.=) 'grid' THEN '[]'
         WHEN grid IS NOT NULL
         THEN hs_fail('this is no grid: ' OPERATOR(pg_catalog.||)
                      pg_catalog.left(grid::text, 60)) END) AS r;
END;
COMMENT ON FUNCTION hs_rows(jsonb) IS
  'rows of a Hayson grid, or the items of a list, each a Hayson dict';

CREATE FUNCTION hs_his(grid jsonb)
RETURNS TABLE (id text, ts timestamptz, val jsonb) LANGUAGE sql STABLE PARALLEL SAFE ROWS 10000
BEGIN ATOMIC
  WITH col AS MATERIALIZED (
    SELECT c.value OPERATOR(pg_catalog.->>) 'name' AS name,
           hs_val(coalesce(c.value OPERATOR(pg_catalog.#>) '{meta,id}',
                           grid OPERATOR(pg_catalog.#>) '{meta,id}')) AS id
      FROM pg_catalog.jsonb_array_elements(grid OPERATOR(pg_catalog.->) 'cols') AS c
     WHERE (c.value OPERATOR(pg_catalog.->>) 'name') OPERATOR(pg_catalog.<>) 'ts')
  SELECT col.id, r.ts, r.rec OPERATOR(pg_catalog.->) col.name
    FROM (SELECT hs_ts(rec OPERATOR(pg_catalog.->) 'ts') AS ts, rec
            FROM hs_rows(grid) AS rec OFFSET 0) AS r, col
   WHERE (r.rec OPERATOR(pg_catalog.->) col.name) OPERATOR(pg_catalog.<>) 'null';
END;
COMMENT ON FUNCTION hs_his(jsonb) IS
  'samples of a grid of histories: ts and val, or ts, v0, v1 and so on, the ids in the meta';

CREATE FUNCTION hs_meta(relation regclass) RETURNS jsonb LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN (
  SELECT coalesce((SELECT CASE WHEN c.text OPERATOR(pg_catalog.~) '^\s*\{' THEN c.text::jsonb
                          ELSE pg_catalog.jsonb_build_object('dis', c.text) END
                     FROM pg_catalog.obj_description(relation, 'pg_class') AS c(text)
                    WHERE c.text IS NOT NULL), '{}')
         OPERATOR(pg_catalog.||)
         CASE WHEN pg_catalog.count(d.text) OPERATOR(pg_catalog.=) 0 THEN '{}'
         ELSE pg_catalog.jsonb_build_object('cols', pg_catalog.jsonb_object_agg(a.attname,
                CASE WHEN d.text OPERATOR(pg_catalog.~) '^\s*\{' THEN d.text::jsonb
                     ELSE pg_catalog.jsonb_build_object('dis', d.text) END)
              FILTER (WHERE d.text IS NOT NULL)) END
    FROM pg_catalog.pg_attribute AS a,
         pg_catalog.col_description(relation, a.attnum) AS d(text)
   WHERE a.attrelid OPERATOR(pg_catalog.=) relation::oid AND a.attnum OPERATOR(pg_catalog.>) 0
         AND NOT a.attisdropped);
COMMENT ON FUNCTION hs_meta(regclass) IS
  'a table''s comments as meta of a grid: JSON objects as they are, other text as dis';

-- These run in a session of hxpy's own, named "hxpy.codecs 1".

CREATE FUNCTION hs_grid(query text, meta jsonb DEFAULT NULL) RETURNS jsonb
AS 'MODULE_PATHNAME', 'py_grid' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION hs_grid(text, jsonb) IS 'a query''s rows as a Hayson grid, with the meta given';

CREATE FUNCTION hs_to_zinc(value jsonb) RETURNS text
AS 'MODULE_PATHNAME', 'py_codec' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION hs_to_zinc(jsonb) IS 'a Hayson value, most often a grid, as Zinc';

CREATE FUNCTION hs_from_zinc(zinc text) RETURNS jsonb
AS 'MODULE_PATHNAME', 'py_codec' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION hs_from_zinc(text) IS 'Zinc as Hayson';

CREATE FUNCTION hs_to_trio(value jsonb) RETURNS text
AS 'MODULE_PATHNAME', 'py_codec' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION hs_to_trio(jsonb) IS 'a Hayson list of dicts, or a grid without meta, as Trio';

CREATE FUNCTION hs_from_trio(trio text) RETURNS jsonb
AS 'MODULE_PATHNAME', 'py_codec' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION hs_from_trio(text) IS 'Trio as a Hayson list of dicts';

CREATE FUNCTION hs_to_v3(value jsonb) RETURNS text
AS 'MODULE_PATHNAME', 'py_codec' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION hs_to_v3(jsonb) IS 'a Hayson value as the JSON of Haystack 3';

CREATE FUNCTION hs_from_v3("json" text) RETURNS jsonb
AS 'MODULE_PATHNAME', 'py_codec' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION hs_from_v3(text) IS 'the JSON of Haystack 3 as Hayson';

CREATE FUNCTION hs_to_csv(grid jsonb) RETURNS text
AS 'MODULE_PATHNAME', 'py_codec' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION hs_to_csv(jsonb) IS 'a Hayson grid as CSV';

-- Those that use a session are closed as the functions py_*.
REVOKE ALL ON FUNCTION
  hs_grid(text, jsonb), hs_to_zinc(jsonb), hs_from_zinc(text), hs_to_trio(jsonb),
  hs_from_trio(text), hs_to_v3(jsonb), hs_from_v3(text), hs_to_csv(jsonb)
FROM PUBLIC;

-- What the launcher does ----------------------------------------------------------

CREATE FUNCTION py_stat_pool(OUT image text, OUT database text, OUT role text, OUT image_id text,
                             OUT wanted integer, OUT ready integer, OUT starting integer,
                             OUT sessions integer, OUT started bigint,
                             OUT taken bigint, OUT missed bigint, OUT failed bigint,
                             OUT last_asked timestamptz, OUT error text, OUT error_at timestamptz,
                             OUT parent text, OUT parent_since timestamptz)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 4;
COMMENT ON FUNCTION py_stat_pool() IS 'the containers that the launcher keeps for new sessions';

CREATE VIEW hxpy_stat_pool AS SELECT * FROM py_stat_pool();
COMMENT ON VIEW hxpy_stat_pool IS
  'the containers that the launcher keeps for new sessions, a row for each image, with /io for each image and database; where sessions share containers for each role, too';
GRANT SELECT ON hxpy_stat_pool TO PUBLIC;

-- What the sessions of all connections are doing -----------------------------------

-- As with pg_stat_activity everybody may look; the function hides what is not theirs.
CREATE FUNCTION py_stat_sessions(OUT pid integer, OUT role text, OUT database text, OUT session text,
                                 OUT container text, OUT image text, OUT network text,
                                 OUT shared boolean, OUT state text, OUT instruction text, OUT started timestamptz,
                                 OUT instruction_started timestamptz, OUT evals bigint,
                                 OUT rows_in bigint, OUT rows_out bigint, OUT bytes_in bigint,
                                 OUT bytes_out bigint, OUT total_time float8, OUT memory bigint,
                                 OUT cpu_time float8, OUT progress_done float8,
                                 OUT progress_total float8, OUT progress_message text,
                                 OUT lost_reason text)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 20;
COMMENT ON FUNCTION py_stat_sessions() IS
  'the sessions of all connections, or of this one without shared_preload_libraries';

CREATE VIEW hxpy_stat_sessions AS SELECT * FROM py_stat_sessions();
COMMENT ON VIEW hxpy_stat_sessions IS
  'what the Python sessions of all connections are doing; own rows, or all for pg_read_all_stats';
GRANT SELECT ON hxpy_stat_sessions TO PUBLIC;

-- What they have done ---------------------------------------------------------------

CREATE FUNCTION py_stat_history(OUT database text, OUT role text, OUT calls bigint, OUT rows_in bigint,
                                OUT rows_out bigint, OUT bytes_in bigint, OUT bytes_out bigint,
                                OUT total_time float8, OUT sessions bigint, OUT errors bigint,
                                OUT timeouts bigint, OUT cancels bigint, OUT memory_kills bigint,
                                OUT pool_hits bigint, OUT pool_misses bigint, OUT stats_reset timestamptz)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 20;
COMMENT ON FUNCTION py_stat_history() IS
  'what sessions have done since the last reset, a row for each role in each database';

CREATE VIEW hxpy_stat_database AS
  SELECT database, pg_catalog.sum(sessions)::bigint AS sessions, pg_catalog.sum(calls)::bigint AS calls,
         pg_catalog.sum(rows_in)::bigint AS rows_in, pg_catalog.sum(rows_out)::bigint AS rows_out,
         pg_catalog.sum(bytes_in)::bigint AS bytes_in, pg_catalog.sum(bytes_out)::bigint AS bytes_out,
         pg_catalog.sum(total_time) AS total_time, pg_catalog.sum(errors)::bigint AS errors,
         pg_catalog.sum(timeouts)::bigint AS timeouts, pg_catalog.sum(cancels)::bigint AS cancels,
         pg_catalog.sum(memory_kills)::bigint AS memory_kills, pg_catalog.sum(pool_hits)::bigint AS pool_hits,
         pg_catalog.sum(pool_misses)::bigint AS pool_misses, pg_catalog.min(stats_reset) AS stats_reset
    FROM py_stat_history() GROUP BY database;
COMMENT ON VIEW hxpy_stat_database IS 'what Python sessions have done since the last reset, by database';
GRANT SELECT ON hxpy_stat_database TO PUBLIC;

CREATE VIEW hxpy_stat_role AS
  SELECT role, pg_catalog.sum(sessions)::bigint AS sessions, pg_catalog.sum(calls)::bigint AS calls,
         pg_catalog.sum(rows_in)::bigint AS rows_in, pg_catalog.sum(rows_out)::bigint AS rows_out,
         pg_catalog.sum(bytes_in)::bigint AS bytes_in, pg_catalog.sum(bytes_out)::bigint AS bytes_out,
         pg_catalog.sum(total_time) AS total_time, pg_catalog.sum(errors)::bigint AS errors,
         pg_catalog.sum(timeouts)::bigint AS timeouts, pg_catalog.sum(cancels)::bigint AS cancels,
         pg_catalog.sum(memory_kills)::bigint AS memory_kills, pg_catalog.sum(pool_hits)::bigint AS pool_hits,
         pg_catalog.sum(pool_misses)::bigint AS pool_misses, pg_catalog.min(stats_reset) AS stats_reset
    FROM py_stat_history() GROUP BY role;
COMMENT ON VIEW hxpy_stat_role IS 'what Python sessions have done since the last reset, by role';
GRANT SELECT ON hxpy_stat_role TO PUBLIC;

CREATE FUNCTION hxpy_stat_reset()
RETURNS void AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION hxpy_stat_reset() IS 'begin hxpy_stat_database and hxpy_stat_role anew';
REVOKE ALL ON FUNCTION hxpy_stat_reset() FROM PUBLIC;

-- Files, /io in Python ---------------------------------------------------------------

CREATE FUNCTION py_io_list(path text DEFAULT '', OUT name text, OUT kind text, OUT size bigint,
                           OUT modified timestamptz)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100 ROWS 100;
COMMENT ON FUNCTION py_io_list(text) IS 'what is in the database''s directory of files';

CREATE FUNCTION py_io_read(path text)
RETURNS bytea AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION py_io_read(text) IS 'content of a file in the database''s directory';

CREATE FUNCTION py_io_write(path text, content bytea)
RETURNS bigint AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION py_io_write(text, bytea) IS
  'create or replace a file in the database''s directory; returns its size';

CREATE FUNCTION py_io_remove(path text)
RETURNS boolean AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION py_io_remove(text) IS
  'remove a file or an empty directory of the database''s directory; false when there is none';

REVOKE ALL ON FUNCTION
  py_io_list(text), py_io_read(text), py_io_write(text, bytea), py_io_remove(text)
FROM PUBLIC;

-- The Docker side, for administrators ----------------------------------------------
--
-- py_images, py_containers and py_engine show, and can be granted; the others ask for a
-- superuser themselves.

CREATE FUNCTION py_images(OUT image text, OUT id text, OUT created timestamptz,
                          OUT size bigint, OUT allowed boolean, OUT version text,
                          OUT labels jsonb, OUT command text, OUT engine jsonb)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 20;
COMMENT ON FUNCTION py_images() IS 'images of the Docker engine, by name';

CREATE FUNCTION py_containers(all_of_engine boolean DEFAULT false,
                              OUT container text, OUT name text, OUT image text, OUT state text,
                              OUT status text, OUT created timestamptz, OUT kind text,
                              OUT database text, OUT pid integer, OUT role text, OUT session text,
                              OUT labels jsonb, OUT command text, OUT engine jsonb)
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 20;
COMMENT ON FUNCTION py_containers(boolean) IS
  'containers of this cluster, or all of the Docker engine';

CREATE FUNCTION py_pull(image text, quiet boolean DEFAULT false)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_pull(text, boolean) IS
  'get an image from its registry; returns its id, and shows the progress';

CREATE FUNCTION py_run(image text, config jsonb DEFAULT '{}')
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_run(text, jsonb) IS 'create and start a container; returns its id';

CREATE FUNCTION py_remove_container(id text)
RETURNS boolean AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_remove_container(text) IS
  'end and remove a container of this cluster; false when there is none';

CREATE FUNCTION py_container_logs(id text, lines integer DEFAULT 100)
RETURNS text AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION py_container_logs(text, integer) IS
  'the last lines that a container of this cluster has written';

CREATE FUNCTION py_engine(OUT address text, OUT api_version text, OUT version text, OUT os text,
                          OUT kernel text, OUT architecture text, OUT cgroup_version text,
                          OUT security_options text[], OUT runtimes text[],
                          OUT default_runtime text, OUT live_restore boolean, OUT warnings text[])
RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 1;
COMMENT ON FUNCTION py_engine() IS
  'the Docker engine, and what it offers to sandboxes; one row';

REVOKE ALL ON FUNCTION
  py_images(), py_containers(boolean), py_pull(text, boolean), py_run(text, jsonb),
  py_remove_container(text), py_container_logs(text, integer), py_engine()
FROM PUBLIC;

-- The language -------------------------------------------------------------------

CREATE FUNCTION hxpy_call_handler()
RETURNS language_handler AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION hxpy_call_handler() IS 'calls functions of the language hxpy';

CREATE FUNCTION hxpy_inline_handler(internal)
RETURNS void AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION hxpy_inline_handler(internal) IS 'runs a DO of the language hxpy';

CREATE FUNCTION hxpy_validator(oid)
RETURNS void AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION hxpy_validator(oid) IS 'checks a new function of the language hxpy';

CREATE TRUSTED LANGUAGE hxpy
  HANDLER hxpy_call_handler INLINE hxpy_inline_handler VALIDATOR hxpy_validator;
COMMENT ON LANGUAGE hxpy IS 'Python in the sandbox of a session';

-- CREATE FUNCTION asks whether there is a transform; what it does stands in the library.
CREATE FUNCTION hxpy_transform(internal)
RETURNS internal AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION hxpy_transform(internal) IS
  'lets CREATE TRANSFORM say that functions of the language hxpy may have a type as dict or list';

CREATE TRANSFORM FOR jsonb LANGUAGE hxpy (FROM SQL WITH FUNCTION hxpy_transform(internal));
COMMENT ON TRANSFORM FOR jsonb LANGUAGE hxpy IS 'jsonb as dict or list, as jsonb_plpython3u has it';

CREATE FUNCTION hxpy_batch_handler()
RETURNS language_handler AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION hxpy_batch_handler() IS 'calls functions of the language hxpy_batch';

CREATE TRUSTED LANGUAGE hxpy_batch HANDLER hxpy_batch_handler VALIDATOR hxpy_validator;
COMMENT ON LANGUAGE hxpy_batch IS 'Python in the sandbox of a session, for whole columns';

-- Who may use Python ---------------------------------------------------------------

REVOKE ALL ON FUNCTION
  py_open(text, text, text, interval, boolean, text, text, float8),
  py_init(text), py_init(text, text), py_init(text, "any"), py_init(text, text, "any"), py_timeout(interval), py_timeout(text, interval),
  py_define(text, "any"), py_define(text, text, "any"), py_exec(text), py_exec(text, text),
  py_eval(text), py_eval(text, text), py_eval(text, anyelement), py_eval(text, text, anyelement),
  py_call(text), py_call(text, text), py_call(text, anyelement), py_call(text, text, anyelement),
  py_call(text, anyelement, "any"), py_call(text, text, anyelement, "any"),
  py_support(internal), py_define_grid(text, text, jsonb), py_define_grid(text, text, text, jsonb),
  py_define_matrix(text, text), py_define_matrix(text, text, text),
  py_eval_grid(text), py_eval_grid(text, text), py_eval_grid(text, anyelement),
  py_eval_grid(text, text, anyelement), py_eval_rows(text), py_eval_rows(text, text),
  py_eval_into(text, text, name), py_eval_into(text, text, text, text),
  py_apply(text, text, boolean, "any", boolean, integer, boolean), py_apply(text, text, text, boolean, "any", boolean, integer, boolean),
  py_agg_transfn(internal, text, "any"), py_agg_transfn(internal, text, text, "any"), py_agg_finalfn(internal),
  py_agg(text, "any"), py_agg(text, text, "any"),
  py_save(text), py_save(text, text), py_save_lo(text), py_save_lo(text, text),
  py_load(text, bytea), py_load(text, text, bytea), py_load_lo(text, oid), py_load_lo(text, text, oid),
  py_clone(text), py_clone(text, text), py_share(), py_share(text), py_unshare(),
  py_close(), py_close(text), py_close_all(), py_sessions(), py_packages(text),
  py_show(text, integer, integer), py_show(text, text, integer, integer), py_vars(text),
  py_help(text, boolean), py_help(text, text, boolean), py_complete(text), py_complete(text, text),
  py_columns(text), py_columns(text, text),
  hxpy_call_handler(), hxpy_batch_handler(), hxpy_inline_handler(internal), hxpy_validator(oid)
FROM PUBLIC;
REVOKE ALL ON LANGUAGE hxpy, hxpy_batch FROM PUBLIC;
