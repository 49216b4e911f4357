-- Python errors: message, traceback, SQLSTATE; the session lives on.
SELECT py_open('s');
\set VERBOSITY sqlstate
SELECT py_eval('s', 'x');
\set VERBOSITY default
SELECT py_exec('s', $$
def inner(value):
    return 1 / value

def outer():
    try:
        return inner(0)
    except ZeroDivisionError as error:
        raise ValueError('no luck') from error
$$);
SELECT py_eval('s', 'outer()');
SELECT py_exec('s', 'for');
SELECT py_eval('s', '1 +');
SELECT py_exec('s', '  if True:
    x = 5');
SELECT py_eval('s', 'x');
SELECT py_exec('s', 'int("x")');
SELECT py_exec('s', 'raise Exception("line one\nline two\x1b[31m")');
SELECT py_exec('s', $$
class Rude(Exception):
    def __str__(self): raise RuntimeError('no')
raise Rude()
$$);
SELECT py_exec('s', 'error = ValueError("with a note"); error.add_note("look here"); raise error');
SELECT py_exec('s', 'raise KeyboardInterrupt');
SELECT py_exec('s', 'raise BaseException("base")');
SELECT py_eval('s', '"still here"');
-- no room in /tmp
SELECT py_exec('s', $$
with open('/tmp/big', 'wb', 0) as file:
    for _ in range(70):
        file.write(bytes(1 << 20))
$$);
SELECT py_exec('s', $$
with open('/tmp/small', 'wb', 0) as file:
    file.write(b'x')
$$);
SELECT py_exec('s', 'import os; os.remove("/tmp/big"); open("/tmp/small", "wb", 0).write(b"x")');
-- exit ends the session, and the error says so
SELECT py_exec('s', 'exit()');
SELECT py_eval('s', '1');
SELECT py_exec(py_open('s'), 'import sys; sys.exit("goodbye")');
SELECT py_exec(py_open('s'), 'import os; os._exit(42)');
SELECT py_exec(py_open('s'), 'import os; os.kill(os.getpid(), 9)');
SELECT state FROM py_sessions();
SELECT py_share('s');
SELECT py_clone('s', 't');
SELECT py_close('s');
SELECT py_eval('s', '1');
-- memory
SELECT py_exec(py_open('s', memory => '128MB'), 'x = bytearray(10**9)');
-- context of callers
CREATE FUNCTION caller() RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN RETURN py_eval('s', 'y'); END $$;
SELECT py_open('s');
SELECT caller();
DROP FUNCTION caller;
