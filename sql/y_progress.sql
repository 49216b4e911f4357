-- Progress by rows: in the view always, and as messages after two seconds.
\set VERBOSITY terse
SELECT py_exec(py_open('s'), $$
import time, pandas as pd
import hxpy
def late(seconds):
    time.sleep(seconds)
    yield {'a': 1}
def own(batch):
    hxpy.progress(1, 2, 'mine')
    return batch
$$);
CREATE VIEW shown AS SELECT progress_done, progress_total, progress_message FROM hxpy_stat_sessions WHERE session = 's';
CREATE TABLE source AS SELECT i FROM generate_series(1, 50000) i;
ANALYZE source;
-- the planner's estimates: right, and too low: then there is none
SELECT py_define_grid('s', 'g', 'SELECT i FROM source');
TABLE shown;
SELECT py_define_matrix('s', 'm', 'SELECT i FROM source WHERE i + 0 > 0');
TABLE shown;
SELECT count(*) FROM py_apply('s', 'lambda batch: batch', 'SELECT i FROM source') AS t(i int);
TABLE shown;
SELECT (SELECT count(*) FROM py_apply('s', 'lambda batch: batch', 'SELECT i FROM source', whole => true) AS t(i int));
TABLE shown;
SELECT sum(py_call('s', 'abs', NULL::int, i)) FROM source;
TABLE shown;
-- known: the rows of a DataFrame; or a query's that are stored before they are sent
SELECT py_eval_into('s', 'pd.DataFrame({"a": range(40000)})', 'target');
TABLE shown;
SELECT count(*) FROM py_apply('s', 'lambda batch: batch', 'INSERT INTO target SELECT i FROM source RETURNING a') AS t(i int);
TABLE shown;
-- not known
SELECT py_eval_into('s', '({"a": i} for i in range(20000))', 'target', if_exists => 'append');
TABLE shown;
-- what Python tells counts
SET hxpy.progress = on;
SHOW hxpy.progress;
SELECT count(*) FROM py_apply('s', 'own', 'SELECT i FROM source LIMIT 5') AS t(i int);
TABLE shown;
-- nothing of a call without rows
SELECT py_eval('s', '1');
TABLE shown;
-- slow ones: a message after two seconds, another after four
SELECT py_eval_into('s', 'late(2.7)', 'target', if_exists => 'append');
SET hxpy.progress = off;
SHOW hxpy.progress;
SELECT py_eval_into('s', 'late(2.7)', 'target', if_exists => 'append');
RESET hxpy.progress;
SELECT py_close('s');
DROP VIEW shown;
DROP TABLE source, target;
