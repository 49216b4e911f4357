# Sessions: whose they are, how they end, what limits them.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = hxpy_cluster('sessions');
my $image = hxpy_image();
my $psql = hxpy_psql($node);

# ---- the pipeline of design.md

gives($psql, q{SELECT py_eval(py_exec(py_define(py_define(py_timeout(py_open('s'), '10 s'), 'a', 100), 'b', 2),
	'def mult(x, y): return x * y'), 'mult(a, b)')}, '200', 'nested calls');
is(scalar containers($node), 1, 'one session, one container');
gives($psql, q{SELECT session, role, image, state, timeout FROM py_sessions()},
	"s|" . $psql->query('SELECT current_user')->{out} . "|$image|idle|00:00:10", 'py_sessions');

# ---- how sessions end

$psql->query("BEGIN; SELECT py_exec('s', 'a = 5'); ROLLBACK");
gives($psql, q{SELECT py_eval('s', 'a')}, '5', 'ROLLBACK does not undo Python');
fails($psql, q{SELECT py_eval('s', 'nosuch')}, '38000', qr/NameError: name 'nosuch' is not defined/, 'a Python exception');
gives($psql, q{SELECT py_eval('s', 'a')}, '5', 'variables survive it');

gives($psql, q{SELECT py_open('once', persistent => false)}, 'once', 'a session that is not persistent');
gives($psql, q{SELECT py_define('once', 'x', 41)}, 'once', 'py_define keeps it');
gives($psql, q{SELECT py_exec('once', 'x += 1')}, 'once', 'py_exec keeps it');
gives($psql, q{SELECT py_eval('once', 'x')}, '42', 'the first py_eval');
fails($psql, q{SELECT py_eval('once', 'x')}, '08003', qr/"once" is not open.*HINT/s, 'it has closed the session');
ok(wait_until(sub { containers($node) == 1 }, 3), 'its container is gone');

gives($psql, q{SELECT py_open('once', persistent => false)}, 'once', 'again');
gives($psql, q{SELECT py_eval('once', '''x''', NULL::text)}, 'x', 'a typed py_eval');
gives($psql, q{SELECT count(*) FROM py_sessions() WHERE session = 'once'}, '0', 'closes it, too');

fails($psql, q{SELECT py_open('s', memory => '64MB')}, '42710', qr/already open with another memory limit/, 'other options');
gives($psql, q{SELECT py_open('s', timeout => '10 s')}, 's', 'the same options');
gives($psql, q{SELECT py_eval('1 + 2')}, '3',
	'the default session opens on first use');
gives($psql, q{SELECT string_agg(session, ',' ORDER BY session) FROM py_sessions()}, 'default,s', 'both are open');
fails($psql, 'BEGIN; DISCARD ALL', '25001', qr/cannot run inside a transaction block/, 'DISCARD ALL in a transaction');
$psql->query('ROLLBACK');
gives($psql, 'SELECT count(*) FROM py_sessions()', '2', 'sessions stay when it fails');
$psql->query('DISCARD PLANS');
gives($psql, 'SELECT count(*) FROM py_sessions()', '2', '... and with DISCARD PLANS');
$psql->query('DISCARD ALL');
gives($psql, 'SELECT count(*) FROM py_sessions()', '0', 'DISCARD ALL ends all');
ok(defined wait_gone($node, 3), '... and their containers');
is(scalar socket_dirs($node), 0, '... and the directories of their sockets');
fails($psql, q{SELECT py_eval('s', '1')}, '08003', qr/"s" is not open/, 'no session');
gives($psql, q{SELECT py_close('s')}, 'f', 'py_close of no session');
$psql->query(q{SELECT py_open('a'), py_open('b')});
gives($psql, q{SELECT py_close('a')}, 't', 'py_close');
gives($psql, q{SELECT py_close_all()}, '1', 'py_close_all');

# ---- names

gives($psql, q{SELECT py_eval(py_open(repeat('n', 63)), '1')}, '1', 'the longest name');
fails($psql, q{SELECT py_open(repeat('n', 64))}, '42602', qr/invalid session name/, 'too long a name');
fails($psql, q{SELECT py_open('')}, '42602', qr/invalid session name/, 'an empty name');
fails($psql, q{SELECT py_close(NULL)}, '22004', qr/session must not be null/, 'no name');
gives($psql, q{SELECT py_eval(py_open('Ünï "quoted"; --'), '1')}, '1', 'an odd name');
$psql->query('SELECT py_close_all()');

# ---- roles

$psql->query(q{SELECT py_exec(py_open('s'), 'who = "superuser"')});
$psql->query('SET ROLE alice');
gives($psql, 'SELECT count(*) FROM py_sessions()', '0', 'a session is invisible after SET ROLE');
fails($psql, q{SELECT py_eval('s', 'who')}, '08003', qr/"s" is not open/, '... and not to be used');
gives($psql, q{SELECT py_close('s')}, 'f', '... nor closed');
gives($psql, 'SELECT py_close_all()', '0', '... nor by py_close_all');
gives($psql, q{SELECT py_eval(py_exec(py_open('s'), 'who = "alice"'), 'who')}, '"alice"', 'a session of the same name');
gives($psql, 'SELECT session, role FROM py_sessions()', 's|alice', 'its own');
$psql->query('SET ROLE bob');
fails($psql, q{SELECT py_eval('s', 'who')}, '08003', qr/"s" is not open/, 'a third role');
$psql->query('RESET ROLE');
gives($psql, q{SELECT py_eval('s', 'who')}, '"superuser"', 'both live');
is(scalar containers($node, 's'), 2, 'in containers of their own');

$psql->query('CREATE SCHEMA definer; GRANT ALL ON SCHEMA definer TO alice; GRANT USAGE ON SCHEMA definer TO PUBLIC');
$psql->query('SET ROLE alice');
$psql->query(q{CREATE FUNCTION definer.peek(text) RETURNS jsonb LANGUAGE sql SECURITY DEFINER
	SET search_path = public, pg_temp AS $$ SELECT py_eval('s', $1) $$});
$psql->query('SET ROLE bob');
gives($psql, q{SELECT definer.peek('who')}, '"alice"', 'a SECURITY DEFINER function uses the sessions of its owner');
fails($psql, q{SELECT py_eval('s', 'who')}, '08003', qr/"s" is not open/, 'not so its caller');
$psql->query('RESET ROLE');
gives($psql, q{SELECT definer.peek('who')}, '"alice"', '... whoever calls it');
$psql->query('SELECT py_close_all(); SET ROLE alice; SELECT py_close_all(); RESET ROLE');
ok(defined wait_gone($node, 3), 'closed by their owners');

# ---- who may use Python

my $nobody = hxpy_psql($node, user => 'nobody');
for my $call (q{py_open()}, q{py_init('x = 1')}, q{py_timeout('1 s')}, q{py_define('x', 1)}, q{py_exec('x = 1')}, q{py_eval('1')},
	q{py_eval('s', '1', NULL::int)}, q{py_close()}, q{py_close_all()}, q{py_sessions()})
{
	fails($nobody, "SELECT $call", '42501', qr/permission denied for function/, "PUBLIC may not call $call");
}
is($psql->query(q{SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid
	JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
	WHERE d.classid = 'pg_proc'::regclass AND e.extname = 'hxpy' AND has_function_privilege('nobody', p.oid, 'execute')
	  AND (p.proname ~ '^py_(?!stat_)' OR p.provolatile = 'v')})->{out},
	'', 'PUBLIC may call no function that uses a session');
is($psql->query(q{SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p WHERE proname ~ '^py_(?!stat_)'
	AND (proparallel <> 'u' OR (provolatile <> 'v' AND prokind <> 'a') OR prosecdef)})->{out}, '', 'all are volatile, parallel unsafe, and not definer');
is($psql->query(q{SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p WHERE proname ~ '^py_(?!stat_)'
	AND obj_description(oid, 'pg_proc') IS NULL})->{out}, '', 'all have a comment');
$psql->query('GRANT hxpy_user TO nobody');
gives($nobody, q{SELECT py_eval('1')}, '1', 'until it is granted');
for my $setting ("docker_host = 'unix:///tmp/x'", "docker_cert_path = '/tmp'", 'docker_insecure = on', "allowed_images = '*'", "runtime = 'runc'",
	"socket_directory = '/tmp'", "max_memory = '8GB'", 'max_cpus = 8', 'pids_limit = 100', "tmp_size = '1GB'", 'uid_base = 100000',
	'max_sessions = 20', "docker_timeout = '1 s'")
{
	fails($nobody, "SET hxpy.$setting", '42501', qr/permission denied to set parameter/, "only superusers: hxpy.$setting");
}
for my $setting ("image = 'x'", "memory = '512MB'", 'cpus = 0.5', "open_timeout = '30 s'", "eval_timeout = '1 min'", "cancel_grace = '1 s'",
	"idle_timeout = '1 min'", "output = 'warning'", "output_limit = '64kB'", "numeric = 'decimal'", "max_frame_size = '64MB'")
{
	is($nobody->query("SET hxpy.$setting")->{state}, '00000', "everybody: hxpy.$setting");
}
fails($nobody, 'SHOW hxpy.docker_host', '42501', qr/must be superuser|pg_read_all_settings/, 'where the engine is, is not shown');
fails($nobody, 'SET hxpy.nosuch = 1', '42602', qr/"hxpy" is a reserved prefix/, 'no other settings');
$nobody->end;

# ---- images

$psql->query(q{SET hxpy.image = 'nosuch:1'});
fails($psql, q{SELECT py_open('i')}, '42501', qr/image "nosuch:1" is not allowed.*DETAIL.*HINT/s, 'with an empty list only the default image is allowed');
fails($psql, q{SELECT py_open('i', image => 'hxpy:latest')}, '42501', qr/"hxpy:latest" is not allowed/, '... by name');
gives($psql, qq{SELECT py_open('i', image => '$image'), py_close('i')}, 'i|t', '... which is allowed');
$psql->query(q{SET hxpy.allowed_images = 'a*z, no*:*'});
fails($psql, q{SELECT py_open('i')}, '42704', qr/no image "nosuch:1".*HINT.*docker pull nosuch:1/s, 'allowed, but not there');
fails($psql, qq{SELECT py_open('i', image => '$image')}, '42501', qr/"$image" is not allowed/, 'a list without the default image');
for my $case (['hxpy:*', 1], ['*', 1], ['h*:1*', 1], ['hx', 0], ['xpy:*', 0], ['hxpy', 0], ['HXPY:*', 0], ['h*x', 0], ["h,$image", 1], [' hxpy:* , b', 1])
{
	$psql->query("SET hxpy.allowed_images = '$case->[0]'");
	my $result = $psql->query(qq{SELECT py_close(py_open('i', image => '$image'))});
	is($result->{state}, $case->[1] ? '00000' : '42501', "pattern '$case->[0]'");
}
$psql->query("SET hxpy.allowed_images = 'nosuch:*, hxpy:*'; SET hxpy.image = ' nosuch:1, $image ,hxpy:latest'");
gives($psql, q{SELECT image FROM py_open('i'), py_sessions()}, $image, 'the first image of the list that is there');
gives($psql, q{SELECT py_close('i')}, 't', 'closed');
$psql->query("SET hxpy.image = 'nosuch:1, other:2, $image'");
fails($psql, q{SELECT py_open('i')}, '42501', qr/image "other:2" is not allowed/, 'all of the list must be allowed');
$psql->query(q{SET hxpy.image = ' , '});
fails($psql, q{SELECT py_open('i')}, '22023', qr/no image is named/, 'an empty list');
for my $name ('../x', 'hxpy/../../containers', 'a//b', 'x?y=1', 'hxpy:1.0#')
{
	$psql->query(q{SET hxpy.allowed_images = '*'});
	my $result = $psql->query("SELECT py_open('i', image => '$name')");
	ok($result->{state} =~ /^(42602|42704|22023)$/, "odd image name '$name'") or diag $result->{err};
}
$psql->query('RESET hxpy.image; RESET hxpy.allowed_images');

# ---- limits

$psql->query(q{SET hxpy.max_sessions = 2; SELECT py_open('a'), py_open('b')});
fails($psql, q{SELECT py_open('c')}, '53400', qr/too many Python sessions.*HINT.*hxpy.max_sessions is 2/s, 'max_sessions');
gives($psql, q{SELECT py_close('a'), py_open('c')}, 't|c', 'one less, one more');
$psql->query('SELECT py_close_all(); RESET hxpy.max_sessions');
fails($psql, q{SELECT py_open('m', memory => '2GB')}, '53400', qr/hxpy.max_memory.*HINT/s, 'max_memory');
fails($psql, q{SELECT py_open('m', memory => '63MB')}, '22023', qr/invalid memory limit/, 'too little memory');
fails($psql, q{SELECT py_open('m', memory => 'much')}, '22023', qr/invalid memory limit/, 'no memory limit');
fails($psql, q{SELECT py_open('m', cpus => 1.5)}, '53400', qr/hxpy.max_cpus.*HINT/s, 'max_cpus');
fails($psql, q{SELECT py_open('m', cpus => 0)}, '22023', qr/invalid CPU limit/, 'too few CPUs');
fails($psql, q{SELECT py_open('m', cpus => 'NaN')}, '22023', qr/invalid CPU limit/, 'NaN CPUs');
fails($psql, q{SELECT py_open('m', network => 'bridge')}, '42501', qr/network "bridge" is not allowed/, 'no network');
gives($psql, 'SELECT count(*) FROM py_sessions()', '0', 'nothing was opened');
$psql->query(q{SELECT py_open('m', memory => '128MB', cpus => 0.5, network => 'none')});
is(docker('inspect', '--format', '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}}', containers($node)),
	'134217728 134217728 500000000', 'limits of the container');
$psql->query('SELECT py_close_all()');
$psql->query(q{SET hxpy.max_memory = '96MB'; SELECT py_open('m')});
is(docker('inspect', '--format', '{{.HostConfig.Memory}}', containers($node, 'm')), 96 << 20, 'hxpy.memory gives way to hxpy.max_memory');
$psql->query('SELECT py_close_all(); RESET hxpy.max_memory');

# ---- idle timeout

# The pauses are far shorter than the limit, as a busy machine adds to them; together with
# the calls they are longer.
$psql->query(q{SET hxpy.idle_timeout = '2s'; SELECT py_open('idle')});
$psql->query('RESET hxpy.idle_timeout');
for (1 .. 4)
{
	gives($psql, q{SELECT py_exec('idle', 'import time; time.sleep(0.8)')}, 'idle', 'a session that is in use stays');
	sleep 0.3;
}
gives($psql, q{SELECT py_exec('idle', 'time.sleep(2.5)')}, 'idle', '... however long one call takes');
ok(defined wait_gone($node, 6), 'the container of an idle session ends');
fails($psql, q{SELECT py_eval('idle', '1')}, '08006', qr/was lost: it was idle for longer than 2 s.*HINT.*py_open/s, 'and its next use says so');
gives($psql, q{SELECT state FROM py_sessions()}, 'lost: it was idle for longer than 2 s (hxpy.idle_timeout)', 'so does py_sessions');
gives($psql, q{SELECT py_eval(py_open('idle'), '1')}, '1', 'py_open makes a new one');
$psql->query('SELECT py_close_all()');

# ---- contexts in which sessions are refused

$psql->query(q{CREATE FUNCTION sneaky(int) RETURNS int LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS
	$$ BEGIN RETURN public.py_eval(public.py_open('v'), '1', NULL::int) + $1; END $$;
	CREATE TABLE victim AS SELECT i FROM generate_series(1, 3) i;});
fails($psql, 'CREATE INDEX ON victim (sneaky(i))', '42501', qr/within a security-restricted operation/, 'an index expression');
$psql->query('CREATE MATERIALIZED VIEW victims AS SELECT sneaky(i) FROM victim WITH NO DATA');
fails($psql, 'REFRESH MATERIALIZED VIEW victims', '42501', qr/within a security-restricted operation/, 'REFRESH MATERIALIZED VIEW');
gives($psql, 'SELECT count(*) FROM py_sessions()', '0', 'nothing was opened');
# its name was another one before 16
my $force_parallel = $psql->query(q{SELECT name FROM pg_settings WHERE name IN ('debug_parallel_query', 'force_parallel_mode')})->{out};
$psql->query("SET $force_parallel = on");
fails($psql, 'SELECT sum(sneaky(i)) FROM victim', '25000', qr/parallel workers/, 'a parallel worker');
$psql->query("RESET $force_parallel");
gives($psql, 'SELECT sum(sneaky(i)) FROM victim', '9', 'the same in the leader');

hxpy_finish();
