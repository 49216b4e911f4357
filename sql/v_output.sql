-- What Python prints comes in few messages: hxpy.output_delay; carriage returns; the order.
SELECT py_exec(py_open('s'), 'import sys, os, time, hxpy, plpy
class Stop(Exception): pass');
-- a message each
SHOW hxpy.output_delay;
SELECT py_exec('s', 'print(1); print(2)');
-- all that come within the time are one
SET hxpy.output_delay = '1min';
SELECT py_exec('s', $$
for i in range(3):
    print(i)
print()
print("without an end", end="", flush=True)
print("more", file=sys.stderr)
print("two\nlines")
$$);
SELECT py_exec('s', 'print()');
SELECT py_eval('s', 'print("one") or print("two")');
-- before errors, and after them nothing is left
SELECT py_exec('s', 'print("before"); print("the error"); raise Stop');
SELECT py_exec('s', 'x = 1');
-- before and after other messages, in their order
SELECT py_exec('s', 'print("a"); print("b"); plpy.notice("c"); print("d")');
SET hxpy.superuser_sql = on;
SELECT py_exec('s', $$
print("a")
hxpy.sql("DO 'BEGIN RAISE NOTICE ''b''; END'")
print("c"); print("d")
hxpy.sql("SELECT py_exec('s', 'print(''e'')')")
print("f")
$$);
RESET hxpy.superuser_sql;
SET hxpy.progress = 'notice';
SELECT py_exec('s', 'print("a"); print("b"); hxpy.progress(1, 2, "c"); print("d")');
RESET hxpy.progress;
SELECT * FROM py_eval_grid('s', '(print("row", n) or n for n in range(3))') AS t(n int);
-- in time, when Python goes on for longer
SET hxpy.output_delay = 10;
SELECT py_exec('s', 'print("soon"); time.sleep(3); print("later")');
SET hxpy.output_delay = '1min';
-- a loop, which is a message
SELECT py_exec('s', 'for i in range(30): print()
print("30 lines before this one")');
-- when the session dies
SELECT py_exec('s', 'print("a"); print("last words"); exit(3)');
SELECT py_exec(py_open('s'), 'import sys, time, hxpy');
-- when it takes too long
SET hxpy.eval_timeout = 5000;
SELECT py_exec('s', 'print("a"); print("b"); time.sleep(60)');
RESET hxpy.eval_timeout;
-- a line that writes over itself is progress, and at its end one message
SELECT py_exec('s', $$
for i in range(101):
    print(f"\r{i}%|bar| {i}/100", end="", file=sys.stderr, flush=True)
print(file=sys.stderr)
for i in range(5):
    print(i, end="\r")
print("line\r\nnext\r")
print("cut \r 50%", end="")
$$);
SELECT progress_done, progress_total FROM hxpy_stat_sessions WHERE pid = pg_backend_pid() AND session = 's';
SELECT py_exec('s', 'from tqdm import tqdm
for i in tqdm(range(200), bar_format="{n}/{total} {bar:4}", ascii=True): pass');
SELECT progress_done, progress_total FROM hxpy_stat_sessions WHERE pid = pg_backend_pid() AND session = 's';
SET hxpy.progress = 'notice';
SELECT py_exec('s', 'print("\rwork 7/8", end="", flush=True); print("\rdone")');
RESET hxpy.progress;
SET hxpy.output = 'none';
SELECT py_exec('s', 'print("nothing")');
RESET hxpy.output;
SELECT py_close('s');
