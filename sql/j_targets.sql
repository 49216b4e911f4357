-- What py_eval_into may write into: served as by COPY FROM.
SELECT py_exec(py_open('g'), $$
import pandas as pd, numpy as np
df = pd.DataFrame({'id': [1, 2, 3], 's': ['a', None, 'c']})
many = pd.DataFrame({'id': np.arange(50000), 's': ['ä' if i == 30000 else str(i) for i in range(50000)]})
many.loc[40000:40010, 's'] = None
$$);
-- defaults: volatile ones, sequences of which a value that does not fit takes no number, none
CREATE SEQUENCE target_seq;
CREATE FUNCTION target_next() RETURNS int VOLATILE LANGUAGE sql AS 'SELECT nextval(''target_seq'')::int * 10';
CREATE TABLE target_a (n serial, id smallint, v int DEFAULT target_next(), gone int, s text, k int GENERATED ALWAYS AS IDENTITY,
                       twice int GENERATED ALWAYS AS (id * 2) STORED, c int DEFAULT 7, e int);
ALTER TABLE target_a DROP COLUMN gone;
SELECT py_eval_into('g', 'df', 'target_a', 'append'), py_eval_into('g', 'df[["s", "id"]]', 'target_a', 'append'), py_eval_into('g', 'df.assign(v=5, n=6, k=8)', 'target_a', 'append');
SELECT py_eval_into('g', 'df.assign(id=[1, 99999, 2])', 'target_a', 'append');
SELECT py_eval_into('g', 'pd.DataFrame({"e": [1]})', 'target_a', 'append');
SELECT * FROM target_a;
-- many batches; texts of ASCII and others; constraints across batches
CREATE TABLE target_b (id int PRIMARY KEY, s text CHECK (length(s) < 6), t varchar DEFAULT 'x');
SELECT py_eval_into('g', 'many', 'target_b', 'append');
SELECT count(*), sum(id), count(s), sum(length(s)), count(*) FILTER (WHERE s <> id::text), min(id) FILTER (WHERE s <> id::text), count(t) FROM target_b;
\set VERBOSITY terse
SELECT py_eval_into('g', '({"id": i if i < 90000 else 50000, "s": "x"} for i in range(50000, 100000))', 'target_b', 'append');
SELECT py_eval_into('g', '({"id": i, "s": "x" if i < 90000 else "much more"} for i in range(50000, 100000))', 'target_b', 'append');
\set VERBOSITY default
SELECT count(*) FROM target_b;
-- domains; the column is named
CREATE DOMAIN target_small AS int CHECK (VALUE < 100);
CREATE DOMAIN target_word AS text NOT NULL CHECK (VALUE <> 'c');
CREATE TABLE target_c (id target_small, s target_word);
SELECT py_eval_into('g', 'df[:1]', 'target_c', 'append');
SELECT py_eval_into('g', 'df[:2]', 'target_c', 'append');
SELECT py_eval_into('g', 'df.dropna()', 'target_c', 'append');
SELECT py_eval_into('g', '{"id": [5, 100], "s": "a"}', 'target_c', 'append');
TABLE target_c;
-- triggers: BEFORE that changes and drops rows, AFTER, for the statement with its transition table
CREATE TABLE target_d (id int, s text);
CREATE FUNCTION target_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  IF TG_LEVEL = 'STATEMENT' THEN
    IF TG_WHEN = 'AFTER' THEN SELECT count(*) INTO n FROM added; END IF;
    RAISE NOTICE '% statement: % rows', TG_WHEN, n;
    RETURN NULL;
  ELSIF TG_WHEN = 'BEFORE' THEN
    NEW.s := coalesce(NEW.s, '-') || NEW.id;
    RETURN CASE WHEN NEW.id % 3 > 0 THEN NEW END;
  END IF;
  RAISE NOTICE '% row: %', TG_WHEN, NEW;
  RETURN NEW;
END $$;
CREATE TRIGGER a BEFORE INSERT ON target_d FOR EACH STATEMENT EXECUTE FUNCTION target_trigger();
CREATE TRIGGER b BEFORE INSERT ON target_d FOR EACH ROW EXECUTE FUNCTION target_trigger();
CREATE TRIGGER c AFTER INSERT ON target_d FOR EACH ROW WHEN (NEW.id < 4) EXECUTE FUNCTION target_trigger();
CREATE TRIGGER d AFTER INSERT ON target_d REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION target_trigger();
SELECT py_eval_into('g', 'df', 'target_d', 'append');
SELECT py_eval_into('g', 'many[4:]', 'target_d', 'append');
SELECT py_eval_into('g', 'df[:0]', 'target_d', 'append');
SELECT count(*), min(s), max(id) FROM target_d;
-- a view with INSTEAD OF triggers, and without; a materialized one
CREATE VIEW target_view AS SELECT id, s FROM target_d;
SELECT py_eval_into('g', 'df', 'target_view', 'append');
CREATE TRIGGER i INSTEAD OF INSERT ON target_view FOR EACH ROW EXECUTE FUNCTION target_trigger();
SELECT py_eval_into('g', 'df', 'target_view', 'append');
CREATE MATERIALIZED VIEW target_kept AS SELECT 1 AS id;
SELECT py_eval_into('g', 'df[["id"]]', 'target_kept', 'append');
-- partitions: columns in another order, a default partition, a row that has none, foreign keys, batches in turns
CREATE TABLE target_p (id int, s text, part int GENERATED ALWAYS AS (id % 2) STORED) PARTITION BY LIST (id);
CREATE TABLE target_p1 (s text, extra int, part int GENERATED ALWAYS AS (id % 2) STORED, id int REFERENCES target_b);
ALTER TABLE target_p1 DROP COLUMN extra;
ALTER TABLE target_p ATTACH PARTITION target_p1 FOR VALUES IN (1, 3);
CREATE TABLE target_p2 PARTITION OF target_p FOR VALUES IN (2);
SELECT py_eval_into('g', 'df', 'target_p', 'append');
SELECT py_eval_into('g', 'df.assign(id=4)', 'target_p', 'append');
CREATE TABLE target_p3 PARTITION OF target_p DEFAULT PARTITION BY HASH (id);
CREATE TABLE target_p4 PARTITION OF target_p3 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE target_p5 PARTITION OF target_p3 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT py_eval_into('g', 'many', 'target_p', 'append');
SELECT tableoid::regclass, count(*), count(s), sum(part) FROM target_p GROUP BY 1 ORDER BY 1;
\set VERBOSITY terse
TRUNCATE target_b CASCADE;
\set VERBOSITY default
SELECT py_eval_into('g', 'df', 'target_p', 'append');
-- a foreign table, in batches of its own
CREATE EXTENSION postgres_fdw;
DO $$
BEGIN
  EXECUTE format('CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, port %L, dbname %L, batch_size ''100'')',
                 split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database());
  EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER here OPTIONS (user %L)', current_user);
END $$;
CREATE TABLE target_e (id int, s text, e int);
CREATE FOREIGN TABLE target_f (id int, s text, e int DEFAULT 9) SERVER here OPTIONS (table_name 'target_e');
SELECT py_eval_into('g', 'many', 'target_f', 'append');
SELECT count(*), sum(id), count(s), sum(e) FROM target_e;
SELECT py_close('g');
\set VERBOSITY terse
DROP SERVER here CASCADE;
DROP EXTENSION postgres_fdw;
DROP VIEW target_view;
DROP MATERIALIZED VIEW target_kept;
DROP TABLE target_p, target_a, target_b, target_c, target_d, target_e;
DROP DOMAIN target_small, target_word;
DROP FUNCTION target_trigger, target_next;
DROP SEQUENCE target_seq;
