# Interrupts: a statement ends, its session lives on, and no interrupt hits a
# later request.  Latencies are printed; the limits here are for loaded machines.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $LIMIT = 1.0;    # seconds from the interrupt to the statement's end

my $node = hxpy_cluster('cancel');
my $other = hxpy_psql($node);
my $psql = hxpy_psql($node);
my $pid = $psql->pid;

# ---- each interrupt during each kind of work

my %load = (
	loop => ['', "i = 0\nwhile True:\n    i += 1\n    j = i % 7"],
	sleep => ['import time', 'time.sleep(60)'],
	subprocess => ['import subprocess', "subprocess.run(['sleep', '60'])"],
	pandas => ["import pandas as pd\nframe = pd.DataFrame({'g': [i % 5000 for i in range(20000)], 'v': 1.0})",
		"while True:\n    frame.groupby('g').v.apply(lambda s: s.sum())"],
	numpy => ["import numpy as np\nmatrix = np.ones((100, 100))", "while True:\n    matrix = np.sqrt(matrix @ matrix) / 10"],
	threads => ['import queue', 'queue.Queue().get()'],
);

# Start a load in session s; returns when Python is about to run it.
sub start_load
{
	my ($name, $prefix) = @_;
	$psql->send(($prefix // '') . "SELECT py_exec('s', \$py\$print('ready')\n$load{$name}[1]\$py\$)");
	$psql->wait_message(qr/ready/, 30) or die 'the load did not start: ' . $psql->wait->{err};
	sleep 0.03;
}

sub prepare
{
	$psql->query("SELECT py_open('s')");
	for my $name (sort keys %load)
	{
		$psql->query("SELECT py_exec('s', \$py\$$load{$name}[0]\$py\$)") if $load{$name}[0];
	}
	$psql->query(q{SELECT py_exec('s', 'kept = 0')});
}

sub is_kept
{
	my ($name) = @_;
	my $result = $psql->query(q{SELECT py_eval(py_exec('s', 'kept += 1'), 'kept')});
	our $kept;
	is($result->{out}, ++$kept, "$name: the session keeps its variables") or diag $result->{err};
}
our $kept = 0;

prepare();
for my $name (sort keys %load)
{
	my %took;

	start_load($name);
	my $start = time;
	$other->query("SELECT pg_cancel_backend($pid)");
	my $result = fails($psql, $psql->wait, '57014', qr/canceling statement due to user request.*DETAIL.*keeps its variables/s, "$name: pg_cancel_backend");
	$took{pg_cancel_backend} = $result->{ended} - $start;
	is_kept($name);

	start_load($name, "SET statement_timeout = '200ms'; ");
	$result = fails($psql, $psql->wait, '57014', qr/canceling statement due to statement timeout/, "$name: statement_timeout");
	$took{statement_timeout} = $result->{seconds} - 0.2;
	$psql->query('RESET statement_timeout');
	is_kept($name);

	start_load($name, "SET hxpy.eval_timeout = '200ms'; ");
	$result = fails($psql, $psql->wait, '57014', qr/canceling Python due to hxpy.eval_timeout.*HINT.*200 ms/s, "$name: hxpy.eval_timeout");
	$took{eval_timeout} = $result->{seconds} - 0.2;
	$psql->query('RESET hxpy.eval_timeout');
	is_kept($name);

	$psql->query(q{SELECT py_timeout('s', '200 ms')});
	start_load($name);
	$result = fails($psql, $psql->wait, '57014', qr/canceling Python due to the session's timeout/, "$name: py_timeout");
	$took{py_timeout} = $result->{seconds} - 0.2;
	$psql->query(q{SELECT py_timeout('s', NULL)});
	is_kept($name);

	ok($took{$_} < $LIMIT, "$name: $_ took " . ms($took{$_}) . ' ms') for sort keys %took;
}

# ---- the latency for a loop, and for what Python itself cannot be quick at

for my $name (qw(loop sleep numpy))
{
	my @took;
	for (1 .. hxpy_rounds(20))
	{
		start_load($name);
		my $start = time;
		kill 'INT', $pid;
		push @took, $psql->wait->{ended} - $start;
	}
	note "interrupt to the statement's end, $name: median " . ms(median(@took)) . ' ms, longest ' . ms((sort { $a <=> $b } @took)[-1]) . ' ms';
	diag "$name: median " . ms(median(@took)) . ' ms' if $ENV{HARNESS_ACTIVE};
	ok(median(@took) < $LIMIT, "$name: an interrupt ends the statement");
	is_kept($name);
}

# ---- a python function that catches KeyboardInterrupt, or ends just then

gives($psql, <<'SQL', 's', 'define');
SELECT py_exec('s', $py$
def stubborn():
    import time
    try:
        print('ready')
        time.sleep(60)
    except KeyboardInterrupt:
        return 'caught'
$py$)
SQL
$psql->send(q{SELECT py_eval('s', 'stubborn()')});
$psql->wait_message(qr/ready/);
kill 'INT', $pid;
fails($psql, $psql->wait, '57014', qr/canceling statement due to user request/, 'what catches the interrupt ends its statement, too');
is_kept('caught');
$psql->send(q{DO $do$ BEGIN PERFORM py_eval('s', 'stubborn()'); EXCEPTION WHEN query_canceled THEN RAISE NOTICE 'trapped %', py_eval('s', '6 * 7'); END $do$});
$psql->wait_message(qr/ready/);
kill 'INT', $pid;
my $result = $psql->wait;
is($result->{state}, '00000', 'plpgsql can trap a cancel');
like($result->{err}, qr/trapped 42/, '... and go on with the session');
fails($psql, q{SELECT py_exec('s', 'raise KeyboardInterrupt')}, '38000', qr/ERROR:  38000: KeyboardInterrupt/, 'a KeyboardInterrupt of the code itself');
is_kept('raised');

# ---- terminate

for my $name (sort keys %load)
{
	my $victim = hxpy_psql($node);
	$victim->query("SELECT py_open('s')");
	$victim->query("SELECT py_exec('s', \$py\$$load{$name}[0]\$py\$)") if $load{$name}[0];
	$victim->send("SELECT py_exec('s', \$py\$print('ready')\n$load{$name}[1]\$py\$)");
	$victim->wait_message(qr/ready/, 30);
	my $start = time;
	$other->query('SELECT pg_terminate_backend(' . $victim->pid . ')');
	my $ended = $victim->wait;
	like($ended->{err}, qr/FATAL:  57P01: terminating connection due to administrator command/, "$name: pg_terminate_backend");
	my $took = $ended->{ended} - $start;
	ok($took < $LIMIT, "$name: pg_terminate_backend took " . ms($took) . ' ms');
	$victim->end;
}
ok(wait_until(sub { containers($node) == 1 }, 3), 'the containers of terminated backends are gone');

# ---- Ctrl-C in psql on a terminal

SKIP:
{
	skip 'no script(1)', 3 unless grep { -x "$_/script" } split /:/, $ENV{PATH};
	local $ENV{TERM} = 'dumb';
	local $ENV{PSQL_HISTORY} = '/dev/null';
	local $ENV{PSQLRC} = '/dev/null';
	my $connection = $node->connstr('postgres');
	my ($in, $out);
	my $process = IPC::Open3::open3($in, $out, undef, 'script', '-qfec', "psql -X -n -P pager=off \"$connection\"", '/dev/null');
	my $text = '';
	my $select = IO::Select->new($out);
	my $expect = sub {
		my ($pattern) = @_;
		wait_until(sub { sysread($out, $text, 65536, length $text) if $select->can_read(0.02); $text =~ $pattern }, 20);
	};
	$in->autoflush(1);
	$expect->(qr/=# /);
	print $in "SELECT py_exec('v = 5');\n";
	$expect->(qr/1 row/);
	print $in "SELECT py_exec(E'print(\"rea\" + \"dy\")\\nwhile True:\\n    v += 1 - 1');\n";
	ok($expect->(qr/ready/), 'a loop runs in psql') or diag $text;
	$text = '';
	my $start = time;
	print $in "\x03";
	ok($expect->(qr/canceling statement due to user request/), 'Ctrl-C ends it');
	note 'Ctrl-C took ' . ms(time - $start) . ' ms';
	print $in "SELECT 'v' || py_eval('v + 4')::text;\n";
	ok($expect->(qr/v9/), 'and the session keeps its variables') or diag $text;
	print $in "\\q\n";
	close $in;
	waitpid $process, 0;
}

# ---- what cannot be interrupted is killed

my %uninterruptible = (
	'C code' => 'sum(range(10**11))',
	'SIGINT ignored' => "__import__('signal').signal(2, __import__('signal').SIG_IGN) and spin()",
	'every exception caught' => 'deaf()');

$psql->query('SELECT py_close_all()');
for my $name (sort keys %uninterruptible)
{
	$psql->query(q{SELECT py_open('u')});
	$psql->query(<<'SQL');
SELECT py_exec('u', $py$
def spin():
    i = 0
    while True:
        i += 1
        j = i % 7
def deaf():
    i = 0
    while True:
        try:
            while True:
                i += 1
                j = i % 7
        except BaseException:
            pass
$py$)
SQL
	$psql->send("SET hxpy.cancel_grace = '700ms'; SELECT py_eval('u', \$py\$print('ready') or $uninterruptible{$name}\$py\$)");
	$psql->wait_message(qr/ready/);
	sleep 0.1;
	my $start = time;
	kill 'INT', $pid;
	my $killed = fails($psql, $psql->wait, '57014', qr/canceling statement due to user request.*DETAIL.*"u" is lost.*hxpy.cancel_grace/s, "$name: killed");
	my $took = $killed->{ended} - $start;
	ok($took > 0.6 && $took < 0.7 + $LIMIT, "$name: after hxpy.cancel_grace, " . ms($took) . ' ms');
	fails($psql, q{SELECT py_eval('u', '1')}, '08006', qr/session "u" was lost.*HINT.*py_open/s, "$name: the next use says that it is lost");
	fails($psql, q{SELECT py_define('u', 'x', 1)}, '08006', qr/session "u" was lost/, "$name: ... and every later one");
	like($psql->query('SELECT state FROM py_sessions()')->{out}, qr/^lost: /, "$name: py_sessions shows it");
	gives($psql, q{SELECT py_eval(py_open('u'), '2')}, '2', "$name: py_open makes a new one");
	ok(wait_until(sub { containers($node) == 1 }, 3), "$name: the old container is gone");
	$psql->query('SELECT py_close_all()');
}
# Code that writes a frame without end itself, faster than it can be skipped.
for my $case (['the grace time', '300ms', qr/53400.*"u" is lost/s], ['pg_terminate_backend', '20s', qr/53400|57P01/])
{
	my ($name, $grace, $pattern) = @$case;
	my $flooded = hxpy_psql($node, setup => ["SET hxpy.cancel_grace = '$grace'", q{SELECT py_open('u')}]);
	$flooded->query(<<'SQL');
SELECT py_exec('u', $py$
import os, signal, stat, struct
def flood():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for fd in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                break
        except OSError:
            pass
    os.write(fd, struct.pack('<HBBIQ', 0x7868, 1, 0x82, 0, 1 << 60))
    for i in range(3):
        os.fork()
    while True:
        os.write(fd, bytes(100000))
$py$)
SQL
	$flooded->send(q{SELECT py_exec('u', 'flood()')});
	my $start = time;
	if ($grace eq '20s')
	{
		sleep 0.5;
		$start = time;
		kill 'TERM', $flooded->pid;
	}
	my $result = $flooded->wait(30);
	like($result->{err}, $pattern, "$name ends a flood") or diag substr($result->{err}, 0, 500);
	ok($result->{ended} - $start < patience(0.3) + $LIMIT, "$name: took " . ms($result->{ended} - $start) . ' ms');
	ok(wait_until(sub { !kill 0, $flooded->pid }, 2), "$name: the backend is gone") if $grace eq '20s';
	$flooded->end;
	ok(wait_until(sub { containers($node) == 0 }, 3), "$name: the container is gone");
}
$psql->query("SET hxpy.cancel_grace = 0; SELECT py_open('u')");
$psql->send(q{SELECT py_exec('u', E'print("ready")\nwhile True:\n    pass')});
$psql->wait_message(qr/ready/);
kill 'INT', $pid;
fails($psql, $psql->wait, '57014', qr/"u" is lost/, 'no grace at all');
$psql->query('RESET hxpy.cancel_grace; SELECT py_close_all()');

# ---- interrupts at random moments never hit a later request

$psql->query(q{SELECT py_open('s')});
$psql->query(<<'SQL');
SELECT py_exec('s', $py$
import random, subprocess, time
def work(n):
    kind = random.randrange(4)
    if kind == 0:
        time.sleep(random.random() * 0.003)
    elif kind == 1:
        for i in range(random.randrange(30000)):
            j = i % 7
    elif kind == 2:
        print('output', n)
    return n
def check(n):
    for i in range(2000):
        j = i % 7
    time.sleep(0.0005)
    return n
$py$)
SQL
my ($answered, $canceled, $wrong) = (0, 0, 0);
for my $n (1 .. hxpy_rounds(300))
{
	$psql->send("SELECT py_eval('s', 'work($n)')");
	sleep rand() * 0.004;
	kill 'INT', $pid;
	my $first = $psql->wait;
	my $second = $psql->query("SELECT py_eval('s', 'check($n + 1)')");

	if ($first->{state} eq '57014') { $canceled++ }
	elsif ($first->{out} eq $n) { $answered++ }
	else { $wrong++; diag "request $n: $first->{state} $first->{out} $first->{err}" }
	if ($second->{out} ne $n + 1)
	{
		$wrong++;
		diag "after request $n: $second->{state} $second->{out} $second->{err}";
		last if $wrong > 5;
	}
}
note "$canceled requests canceled, $answered answered";
is($wrong, 0, "no interrupt hits a later request ($canceled canceled, $answered answered)");
ok($canceled > 20 && $answered > 2, 'the interrupts came before and after the end of requests');

# ---- timeouts that fall together with the end of a request

($answered, $canceled, $wrong) = (0, 0, 0);
$psql->query(q{SELECT py_timeout('s', '3 ms')});
for my $n (1 .. hxpy_rounds(200))
{
	my $wait = 0.001 + rand() * 0.003;
	my $first = $psql->query("SELECT py_eval('s', '[time.sleep($wait), $n][1]')");
	my $second = $psql->query("SELECT py_eval('s', '$n')");
	if ($first->{state} eq '57014') { $canceled++ }
	elsif ($first->{out} eq $n) { $answered++ }
	else { $wrong++; diag "request $n: $first->{state} $first->{out} $first->{err}" }
	# 3 ms can be over before a loaded machine answers
	$wrong++ if $second->{out} ne $n && $second->{state} ne '57014';
}
is($wrong, 0, "no timeout hits a later request ($canceled canceled, $answered answered)");
$psql->query(q{SELECT py_timeout('s', NULL)});

# ---- SIGUSR1 (latch, sinval, procsignal) disturbs nothing

$psql->send(<<'SQL');
SELECT py_eval('s', $py$print('ready') or [sum(i % 7 for i in range(200000)) for k in range(80)][0] + len(print('output') or 'abc')$py$)
SQL
$psql->wait_message(qr/ready/);
my $signals = 0;
until ($psql->is_done || $signals >= 1000)
{
	$signals += kill 'USR1', $pid;
	sleep 0.0002;
}
$result = $psql->wait;
is($result->{out}, 599997, "an eval goes on under SIGUSR1") or diag $result->{err};
is($signals, 1000, '1,000 of them came during the eval');
my $big = 0;
$psql->send(q{SELECT py_eval('s', '[len(b) for b in [bytes(30000000)]][0]'), octet_length(py_eval('s', 'b"x" * 50000000', NULL::bytea))});
until ($psql->is_done)
{
	$big += kill 'USR1', $pid;
	sleep 0.0002;
}
$result = $psql->wait;
is($result->{out}, '30000000|50000000', "a value of 50 MB comes whole under $big SIGUSR1") or diag $result->{err};

# ---- a cancel while a large value is being sent

($answered, $canceled, $wrong) = (0, 0, 0);
for my $n (1 .. hxpy_rounds(12))
{
	$psql->send(q{DO $do$ DECLARE v text := repeat('0123456789', 12000000);
		BEGIN RAISE NOTICE 'ready'; PERFORM py_define('s', 'v', v); END $do$});
	$psql->wait_message(qr/ready/);
	sleep rand() * 0.15;
	kill 'INT', $pid;
	my $first = $psql->wait;
	my $second = $psql->query("SELECT py_eval('s', 'check($n)')");
	if ($first->{state} eq '57014') { $canceled++ }
	elsif ($first->{state} eq '00000') { $answered++ }
	else { $wrong++; diag "define $n: $first->{err}" }
	if ($second->{out} ne $n)
	{
		$wrong++;
		diag "after define $n: $second->{err}";
	}
}
is($wrong, 0, "a cancel while a value of 120 MB is sent ($canceled canceled, $answered sent)");
ok($canceled > 0, 'some were canceled');
gives($psql, q{SELECT py_eval(py_define('s', 'v', repeat('x', 1000000)), 'len(v)')}, '1000000', 'the next value arrives whole');

# ---- a cancel while a session opens

$psql->query('SELECT py_close_all()');
wait_gone($node, 5);
my ($opened, @left) = (0);
$canceled = 0;
for my $n (1 .. hxpy_rounds(50))
{
	$psql->send("SELECT py_open('c')");
	# the engine's call that creates comes first
	sleep rand() * ($n % 2 ? 0.05 : 0.17);
	kill 'INT', $pid;
	my $open = $psql->wait;
	if ($open->{state} eq '57014')
	{
		$canceled++;
		is($psql->query('SELECT count(*) FROM py_sessions()')->{out}, 0, 'no session after a canceled py_open') if $canceled == 1;
		diag "canceled py_open warns: $open->{err}" if $open->{err} =~ /WARNING/;
	}
	else
	{
		$opened++;
		is($psql->query("SELECT py_eval('c', '$n')")->{out}, $n, 'the session is of use') if $opened == 1;
		$psql->query(q{SELECT py_close('c')});
	}
	push @left, "round $n ($open->{state})" unless defined wait_gone($node, 3);
	last if @left > 2;
}
is("@left", '', "a canceled py_open leaves no container ($canceled canceled, $opened opened)")
  or diag docker('ps', '-a', '--format', '{{.Names}} {{.Status}}');
ok($canceled > 3, 'some were canceled');
is(scalar socket_dirs($node), 0, '... and no directory');
docker('rm', '-f', containers($node)) if containers($node);

my $sleeps = variant_image('sleeps');
my $admin = hxpy_psql($node, setup => ["SET hxpy.allowed_images = 'hxpytest:*'; SET hxpy.image = '$sleeps'"]);
$admin->send('SELECT py_open()');
ok(wait_until(sub { docker('ps', '-q', '--filter', "ancestor=$sleeps") }, 10), 'a container whose Python does not connect');
sleep 0.2;
my $start = time;
kill 'INT', $admin->pid;
fails($admin, $admin->wait, '57014', qr/canceling statement due to user request/, 'a cancel ends the wait for it');
note 'which took ' . ms(time - $start) . ' ms with the removal of the container';
is(scalar containers($node), 0, 'and has removed it');
fails($admin, q{SET statement_timeout = '1 s'; SELECT py_open()}, '57014', qr/statement timeout/, 'so does statement_timeout');
is(scalar containers($node), 0, 'and has removed it');
fails($admin, q{RESET statement_timeout; SET hxpy.open_timeout = '800ms'; SELECT py_open()}, '08001', qr/within hxpy.open_timeout.*HINT/s, 'and hxpy.open_timeout');
is(scalar containers($node), 0, 'and has removed it');

hxpy_finish();
