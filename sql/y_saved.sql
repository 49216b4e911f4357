-- Values that last: py_save, py_load, and their like for large objects.
\set VERBOSITY terse
CREATE TABLE saved (name text PRIMARY KEY, data bytea);
SELECT py_exec(py_open('old'), $$
import math
import numpy as np
factor = 2
class Model:
    def __init__(self, bias):
        self.bias = bias
    def predict(self, x):
        return factor * math.sqrt(x) + self.bias
model = Model(1)
scaled = lambda x: factor * x
noise = np.random.default_rng(0).normal(size=(1000, 700))
$$);
INSERT INTO saved SELECT name, py_save('old', name) FROM unnest('{model, scaled, noise}'::text[]) AS name;
-- a later session: functions and classes come along
SELECT py_load(py_open('new'), name, data) FROM saved ORDER BY name;
SELECT py_eval('new', 'model.predict(9), scaled(4), noise.shape, noise.flags.writeable, "factor" in globals()');
SELECT py_exec('old', 'import hashlib; digest = hashlib.sha256(noise).hexdigest()'), py_exec('new', 'import hashlib; digest = hashlib.sha256(noise).hexdigest()');
SELECT py_eval('old', 'digest') = py_eval('new', 'digest') AS same;
-- larger than a frame may be, kept in any way
SET hxpy.max_frame_size = '1MB';
SELECT length(data) > 5000000 AS large FROM saved WHERE name = 'noise';
SELECT py_load('new', 'n', py_save('old', 'noise'));
SELECT py_eval('new', 'bool((n == noise).all())');
ALTER TABLE saved ALTER data SET STORAGE EXTERNAL;
INSERT INTO saved SELECT 'sliced', py_save('old', '[noise, "x" * 3000000]');
SELECT py_load('new', 'n', data) FROM saved WHERE name = 'sliced';
SELECT py_eval('new', 'bool((n[0] == noise).all()), len(n[1])');
RESET hxpy.max_frame_size;
-- the session may be left out
SELECT py_exec('x = {"a": 1}');
SELECT py_load('y', py_save('x'));
SELECT py_eval('y');
-- what is no value: the old one stays
SELECT py_load('y', 'abc'), py_eval('y');
SELECT py_load('y', '\x80054b012e');
SELECT py_load('y', '');
SELECT py_load('y', substr(data, 1, 600000)) FROM saved WHERE name = 'noise';
SELECT py_load('y', overlay(data PLACING '\x00' FROM 600000)) FROM saved WHERE name = 'noise';
SELECT py_load('y', overlay(data PLACING '\x02' FROM 8)) FROM saved WHERE name = 'model';
SELECT py_load('y', data || '\x00') FROM saved WHERE name = 'model';
SELECT py_eval('y');
SELECT py_load('y', NULL);
SELECT py_load(NULL, 'y', ''), py_save(NULL);
SELECT py_load('not a name', py_save('1'));
SELECT py_load('nosuch', 'y', py_save('1'));
SELECT py_save('nosuch');
SELECT py_save('(i for i in range(3))');
SELECT py_load_lo('y', 0);
SELECT py_load_lo('y', NULL);
-- versions are told where they are others
SELECT py_exec('old', $$
import sys, types
from hxpy._worker import saving
library = sys.modules['library'] = types.ModuleType('library')
library.__version__ = '1.0'
saving._versions = lambda modules: {'library': '1.0', 'other': '0.5'}
$$);
INSERT INTO saved SELECT 'library', py_save('old', '5');
SELECT py_exec('new', 'import sys, types; sys.modules["library"] = library = types.ModuleType("library"); library.__version__ = "2.0"');
SELECT py_load('new', 'five', data) FROM saved WHERE name = 'library';
SELECT py_exec('new', 'import platform; platform.python_version = lambda: "4.1.2"; other = sys.modules["other"] = types.ModuleType("other"); other.__version__ = "0.5"; library.__version__ = "1.0"');
SELECT regexp_replace(py_exec('old', 'import platform; platform.python_version = lambda: "4.0.7"'), '.*', '') AS same, py_load('new', 'five', py_save('old', '5'));
SELECT py_exec('new', 'platform.python_version = lambda: "4.0.2"');
SELECT py_load('new', 'five', py_save('old', '5'));
-- code that runs meanwhile: SQL, output, errors, limits
CREATE ROLE saved_user;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO saved_user;
GRANT ALL ON saved TO saved_user;
SET ROLE saved_user;
SELECT py_exec($$
import time, hxpy
def loads(code):
    return eval(code, {'time': time, 'hxpy': hxpy})
class Asks:
    def __init__(self, saving, loading):
        self.saving, self.loading = saving, loading
    def __reduce__(self):
        eval(self.saving)
        return loads, (self.loading,)
$$);
SELECT py_load('n', py_save($$Asks('print("saving", hxpy.sql("SELECT 1 AS a").a[0])', 'hxpy.sql("SELECT 2 AS a").a.tolist()')$$));
SELECT py_eval('n');
SELECT py_load('n', py_save($$Asks('0', '1 / 0')$$));
SELECT py_save($$Asks('1 / 0', '0')$$);
SET hxpy.eval_timeout = '300ms';
SELECT py_save($$Asks('time.sleep(30)', '0')$$);
SELECT py_load('n', py_save($$Asks('0', 'time.sleep(30)')$$));
RESET hxpy.eval_timeout;
SELECT py_load('n', (SELECT data FROM saved WHERE name = 'model' AND 1 / (length(data) - length(data)) = 1));
SELECT py_eval('n');
-- large objects: those of who saves; a rollback takes them along; nothing is written where nothing may be
SELECT py_save_lo('n + [3]') AS lo \gset
SELECT py_load_lo('m', :lo);
SELECT py_eval('m'), (SELECT rolname FROM pg_largeobject_metadata JOIN pg_roles r ON r.oid = lomowner) AS owner;
BEGIN;
SAVEPOINT s;
SELECT py_save_lo('bytes(3000000)') AS gone \gset
ROLLBACK TO s;
SELECT py_save_lo('list(range(1000000))') AS long \gset
SELECT py_save_lo('(i for i in m)');
ROLLBACK TO s;
SELECT count(*) FROM pg_largeobject_metadata;
SELECT py_save_lo('list(range(1000000))') AS long \gset
COMMIT;
SELECT py_load_lo('m', :long);
SELECT py_eval('sum(m)');
BEGIN READ ONLY;
SELECT py_load_lo('m', :lo), length(py_save('m')) > 0;
SELECT py_save_lo('m');
ROLLBACK;
RESET ROLE;
CREATE ROLE saved_other;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO saved_other;
SET ROLE saved_other;
\set VERBOSITY sqlstate
SELECT py_load_lo('m', :lo);
RESET ROLE;
SELECT lo_unlink(oid) FROM pg_largeobject_metadata;
DROP TABLE saved;
DROP OWNED BY saved_user, saved_other;
DROP ROLE saved_user, saved_other;
SELECT py_close_all() > 0 AS closed;
