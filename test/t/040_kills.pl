# Deaths: of Python, of containers, of backends, of the postmaster.  The error says
# which it was, no other session is touched, and nothing is left.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = hxpy_cluster('kills', 'restart_after_crash = on');
my $psql = hxpy_psql($node);
my $witness = hxpy_psql($node, user => 'alice');
my $checks = 0;

$psql->query(q{SELECT py_exec(py_open('other'), 'x = 0')});
$witness->query(q{SELECT py_exec(py_open('mine'), 'x = 0')});

# No other session is affected: not of this backend, not of another one.
sub others_live
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$checks++;
	my $here = $psql->query(q{SELECT py_eval(py_exec('other', 'x += 1'), 'x')});
	my $there = $witness->query(q{SELECT py_eval(py_exec('mine', 'x += 1'), 'x')});
	is("$here->{out} $there->{out}", "$checks $checks", "$name: other sessions live on") or diag $here->{err}, $there->{err};
}

# ---- Python dies

my %death = (
	'SIGKILL' => ['import os; os.kill(os.getpid(), 9)', qr/terminated by SIGKILL/],
	'SIGTERM' => ['import os; os.kill(os.getpid(), 15)', qr/terminated by SIGTERM/],
	'segfault' => ['import ctypes; ctypes.string_at(0)', qr/terminated by SIGSEGV.*DETAIL:.*Segmentation fault.*py_exec \d+>", line 1/s],
	'abort' => ['import os; os.abort()', qr/terminated by SIGABRT/],
	'os._exit' => ['import os; os._exit(3)', qr/Python exited with status 3/],
	'sys.exit' => ['import sys; sys.exit(4)', qr/Python exited with status 4/],
	'exit()' => ['exit()', qr/Python exited with status 0/],
	'exit with a text' => [q{raise SystemExit('so long')}, qr/Python exited with status 1.*DETAIL:  so long/s],
	'out of memory' => [qq{x = []\nwhile True:\n    x.append(bytearray(b'x') * 10000000)}, qr/Python ran out of memory.*HINT:.*memory =>/s],
	'connection closed' => [q{import os, time; os.closerange(3, 100); time.sleep(0.1)}, qr/was lost/],
);
for my $name (sort keys %death)
{
	my ($code, $pattern) = @{ $death{$name} };
	$psql->query(q{SELECT py_open('s', memory => '256MB')});
	my $result = fails($psql, "SELECT py_exec('s', \$py\$$code\$py\$)", '08006', $pattern, "$name: " . 'the error says so');
	like($result->{err}, qr/^HINT: .*py_open/m, "$name: a hint");
	ok($result->{seconds} < patience(10), "$name: took " . ms($result->{seconds}) . ' ms');
	fails($psql, q{SELECT py_eval('s', '1')}, '08006', qr/session "s" was lost.*HINT:.*py_open/s, "$name: so does the next use");
	others_live($name);
	gives($psql, q{SELECT py_eval(py_open('s'), '7')}, '7', "$name: py_open makes a new one");
	ok(wait_until(sub { containers($node, 's') == 1 }, 3), "$name: the container is gone");
	$psql->query(q{SELECT py_close('s')});
}

# What a process does to the supervisor has no effect.
$psql->query(q{SELECT py_exec(py_open('s'), 'import os, signal')});
gives($psql, q{SELECT py_eval('s', '[os.kill(1, n) for n in signal.valid_signals() if n != 19] and 5')}, '5', 'process 1 ignores all signals');
gives($psql, q{SELECT py_eval('s', '6')}, '6', 'and goes on');
# A memory bomb in a subprocess ends that, not the session.
gives($psql, q{SELECT py_eval(py_exec('s', $py$
import subprocess
code = 'x = []\nwhile True:\n    x.append(bytearray(b"x") * 10000000)'
status = subprocess.run(['/usr/bin/python3', '-c', code]).returncode$py$), 'status')}, '-9', 'a subprocess out of memory is killed alone');
# A death between two requests is seen at the next one.
$psql->query(q{SELECT py_exec('s', 'import threading; threading.Timer(0.1, lambda: os._exit(9)).start()')});
sleep 0.4;
fails($psql, q{SELECT py_eval('s', '1')}, '08006', qr/Python exited with status 9/, 'a death while idle');
$psql->query(q{SELECT py_close('s')});

# ---- the container dies

for my $case (['docker kill', sub { docker_ok('kill', @_) }], ['docker rm -f', sub { docker_ok('rm', '-f', @_) }])
{
	my ($name, $act) = @$case;
	$psql->query(q{SELECT py_open('s')});
	$act->(containers($node, 's'));
	fails($psql, q{SELECT py_eval('s', '1')}, '08006', qr/"s" was lost.*HINT:.*py_open/s, "$name of an idle session");
	gives($psql, q{SELECT py_eval(py_open('s'), '7')}, '7', "$name: py_open makes a new one");
	$psql->send(q{SELECT py_exec('s', 'print("ready"); import time; time.sleep(60)')});
	$psql->wait_message(qr/ready/);
	my $start = time;
	$act->(containers($node, 's'));
	my $result = fails($psql, $psql->wait, '08006', qr/"s" was lost.*HINT:.*py_open/s, "$name during an eval");
	ok($result->{ended} - $start < patience(2), "$name: seen after " . ms($result->{ended} - $start) . ' ms');
	others_live($name);
	$psql->query(q{SELECT py_close('s')});
}

# A frozen container answers nothing: cancel gives it up after the grace time.
$psql->query(q{SET hxpy.cancel_grace = '500ms'; SELECT py_open('s')});
my ($frozen) = containers($node, 's');
freeze($frozen);
$psql->send(q{SELECT py_eval('s', '1')});
sleep 0.2;
my $start = time;
kill 'INT', $psql->pid;
my $result = fails($psql, $psql->wait, '57014', qr/user request.*"s" is lost/s, 'cancel of a frozen session');
ok($result->{ended} - $start > 0.4 && $result->{ended} - $start < patience(1.5), 'took ' . ms($result->{ended} - $start) . ' ms');
fails($psql, q{SELECT py_eval('s', '1')}, '08006', qr/"s" was lost/, 'it is lost');
$start = time;
$psql->query(q{SELECT py_close('s')});
ok(time - $start < patience(0.5), 'py_close does not wait for it');
others_live('docker pause');
docker_ok('unpause', $frozen);
ok(wait_until(sub { containers($node) == 2 }, 3), 'its container ends when it thaws');
$psql->query(q{SELECT py_open('s')});
($frozen) = containers($node, 's');
freeze($frozen);
$psql->send(q{SET statement_timeout = '300ms'; SELECT py_eval('s', '1')});
fails($psql, $psql->wait, '57014', qr/statement timeout.*"s" is lost/s, 'statement_timeout of a frozen session');
docker_ok('unpause', $frozen);
$psql->query(q{RESET statement_timeout; RESET hxpy.cancel_grace; SELECT py_open('s')});
# Frozen for less than the limits is only slow.
($frozen) = containers($node, 's');
freeze($frozen);
$psql->send(q{SELECT py_eval('s', '11')});
sleep 0.3;
docker_ok('unpause', $frozen);
is($psql->wait->{out}, '11', 'a session that was frozen for a moment');
$psql->query(q{SELECT py_close('s')});

# ---- the backend goes

my $victim = hxpy_psql($node);
$victim->query(q{SELECT py_open('a'), py_open('b')});
is(scalar containers($node), 4, 'two more sessions');
$start = time;
$victim->end;
ok(wait_until(sub { containers($node) == 2 }, 3), 'disconnecting ends them, ' . ms(time - $start) . ' ms');
ok(wait_until(sub { socket_dirs($node) == 2 }, 2), 'and removes their directories');

$victim = hxpy_psql($node);
$victim->send(q{SELECT py_exec('print("ready"); sum(range(10**11))')});
$victim->wait_message(qr/ready/);
kill 'KILL', $victim->{process};
sleep 0.2;
is(scalar containers($node), 3, 'a client that dies during an eval is not noticed');
kill 'TERM', $victim->pid;
ok(wait_until(sub { containers($node) == 2 }, 3), 'termination of its backend ends the session, in C code, too');
$victim->end;

# terminated while it opens
my ($opened, $terminated, @left) = (0, 0);
for my $n (1 .. hxpy_rounds(10))
{
	$victim = hxpy_psql($node);
	$victim->send(q{SELECT py_open('s')});
	sleep rand() * 0.16;
	kill 'TERM', $victim->pid;
	my $state = $victim->wait->{state};
	$state eq '57P01' ? $terminated++ : $opened++;
	$victim->end;
	push @left, $n unless wait_until(sub { containers($node) == 2 }, 3);
}
is("@left", '', "termination during py_open leaves no container ($terminated terminated, $opened opened)")
  or docker('rm', '-f', containers($node, 's'));
is(scalar socket_dirs($node), 2, 'nor a directory');
others_live('terminate');

# killed: the server restarts, all sessions end, directories stay until the next open
$victim = hxpy_psql($node);
$victim->query(q{SELECT py_open('s')});
$victim->send(q{SELECT py_exec('s', 'print("ready"); sum(range(10**11))')});
$victim->wait_message(qr/ready/);
is(scalar containers($node), 3, 'three sessions');
my $log = log_size($node);
$start = time;
kill 'KILL', $victim->pid;
my $gone = wait_gone($node, 5);
ok(defined $gone && $gone < patience(2.5), 'kill -9 of a backend: all containers are gone after ' . ms($gone // 'never') . ' ms');
$_->end for $victim, $psql, $witness;
ok(socket_dirs($node) > 0, 'their directories are left');
ok(wait_restarted($node, $log), 'the server is back');
$psql = hxpy_psql($node);
gives($psql, q{SELECT py_eval('1')}, '1', 'a session after the crash');
is(scalar socket_dirs($node), 1, 'its backend has removed what was left');

# killed while it opens: what is left is removed at the next open
@left = ();
for my $n (1 .. hxpy_rounds(5))
{
	$psql->end;
	$psql = hxpy_psql($node);
	$psql->send(q{SELECT py_open('s')});
	sleep 0.02 + rand() * 0.1;
	$log = log_size($node);
	kill 'KILL', $psql->pid;
	$psql->wait;
	$psql->end;
	wait_restarted($node, $log) or die 'no restart';
	$psql = hxpy_psql($node);
	my $result = $psql->query(q{SELECT py_eval('1')});
	push @left, "$n: $result->{err}" unless $result->{out} eq '1';
	push @left, "$n: " . scalar(containers($node)) . ' containers' unless wait_until(sub { containers($node) == 1 }, 3);
	push @left, "$n: " . scalar(socket_dirs($node)) . ' directories' unless socket_dirs($node) == 1;
}
is("@left", '', 'kill -9 during py_open: the next open cleans up');
$psql->end;

# ---- the server goes

sub three_sessions
{
	my @psqls = map { hxpy_psql($node) } 1 .. 2;
	$_->query(q{SELECT py_open('idle')}) for @psqls;
	$psqls[0]->query(q{SELECT py_open('busy')});
	$psqls[0]->send(q{SELECT py_exec('busy', 'print("ready"); sum(range(10**11))')});
	$psqls[0]->wait_message(qr/ready/);
	return @psqls;
}

my @psqls;
for my $mode (qw(fast immediate))
{
	@psqls = three_sessions();
	is(scalar containers($node), 3, "three sessions before a stop ($mode)");
	$start = time;
	$node->stop($mode);
	my $stopped = time - $start;
	$gone = wait_gone($node, 5);
	ok(defined $gone && $gone < patience(2.5), "$mode stop took " . ms($stopped) . ' ms, the containers were gone after ' . ms($gone // 'never') . ' ms more');
	is(scalar socket_dirs($node), 0, 'fast stop removes the directories') if $mode eq 'fast';
	$_->end for @psqls;
	$node->start;
}

@psqls = three_sessions();
$start = time;
$node->kill9;
$gone = wait_gone($node, 5);
ok(defined $gone && $gone < patience(2.5), 'kill -9 of the postmaster: the containers were gone after ' . ms($gone // 'never') . ' ms');
$_->end for @psqls;
# the orphaned backends see it and end
ok(wait_until(sub { !grep { kill 0, $_->pid } @psqls }, 10), 'so are the backends');
$node->start;
$psql = hxpy_psql($node);
gives($psql, q{SELECT py_eval('1')}, '1', 'a session after it');
is(scalar socket_dirs($node), 1, 'stale directories are gone');

hxpy_finish();
