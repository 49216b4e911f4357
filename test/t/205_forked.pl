# Sessions that are forked from others: py_clone, py_share and py_unshare, what they find, who
# gets them, and what is left when something dies or is broken off.  How a fork is kept from
# its origin is python/tests/test_shared.py's.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = hxpy_cluster('forked', q{shared_preload_libraries = 'hxpy'}, 'max_connections = 100', 'hxpy.pool_size = 0',
	'hxpy.share = role', 'hxpy.sessions_per_container = 8', 'hxpy.role_memory = 1800MB', 'hxpy.role_cpus = 4',
	'hxpy.containers_per_role = 2', 'hxpy.pool_idle = 3600');
my $cluster = $node->safe_psql('postgres', 'SELECT system_identifier FROM pg_control_system()');
my $watcher = hxpy_psql($node);
$watcher->query('SET hxpy.share = off');

# What hxpy_stat_pool says of the parent of alice's sessions.
sub parent { return $watcher->query(q{SELECT parent FROM hxpy_stat_pool WHERE role = 'alice'})->{out}; }

# How many processes alice's container has.
sub processes
{
	my $id = $watcher->query(q{SELECT container FROM hxpy_stat_sessions WHERE role = 'alice' LIMIT 1})->{out};
	return scalar(() = docker('top', $id, '-o', 'pid') =~ /^\d+$/mg);
}

my $alice = hxpy_psql($node, user => 'alice');
my $second = hxpy_psql($node, user => 'alice');
my $bob = hxpy_psql($node, user => 'bob');

# ---- py_clone

$alice->must(q{SELECT py_exec(py_open('a', timeout => '20 s'), $$
import numpy as np
table = np.arange(6)
def total(): return int(table.sum())
once = 0$$)});
$alice->must(q{SELECT py_init('a', 'once += 1')});
is($alice->must(q{SELECT py_clone('a', 'b')}), 'b', 'py_clone');
$alice->must(q{SELECT py_exec('b', 'table[:] = 1')});
is($alice->must(q{SELECT concat_ws(' ', py_eval('a', 'total()'), py_eval('b', 'total()'))}), '15 6', 'what one changes is its own');
is($alice->must(q{SELECT py_eval(py_init('b', 'once += 1'), 'once')}), '1', 'py_init has run in it');
fails($alice, q{SELECT py_exec('b', 'raise SystemExit(4)')}, '08006', qr/status 4/, 'it can end');
is($alice->must(q{SELECT py_eval('a', 'total()')}), '15', '... alone');
is($alice->must(q{SELECT py_eval(py_clone('a', 'b'), 'total()')}), '15', 'a lost one is replaced');
fails($alice, q{SELECT py_clone('a', 'b')}, '42710', qr/already open/, 'an open one is not');
fails($alice, q{SELECT py_clone('none', 'c')}, '08003', qr/not open/, 'of a session that is not open');
fails($second, q{SELECT py_clone('a', 'c')}, '08003', qr/not open/, '... or another connection\'s');
fails($alice, q{SELECT py_exec('a', $$import plpy; plpy.execute("SELECT py_clone('a', 'c')")$$)}, '55006', qr/busy/, '... or within its own Python');
is($alice->must(q{SELECT count(*) FROM py_sessions()}), '2', 'nothing is left of those');
$alice->must(q{SELECT py_exec('a', $$plan = __import__('plpy').prepare('SELECT 1')$$)});
fails($alice, q{SELECT py_exec(py_clone('a', 'c'), 'plan.execute()')}, '38000', qr/belongs to the session that this one was forked from/, 'plans stay with their session');
$alice->must(q{SELECT py_exec('a', $$plan.execute(); del plan; import threading; end = threading.Event(); t = threading.Thread(target=end.wait, name='waiter'); t.start()$$)});
fails($alice, q{SELECT py_clone('a', 'd')}, '55000', qr/it has threads.*waiter.*Let them end/s, 'threads cannot be forked');
fails($alice, q{SELECT py_share('a')}, '55000', qr/it has threads/, '... nor shared');
$alice->must(q{SELECT py_exec('a', 'end.set(); t.join(); f = open("log", "w")')});
fails($alice, q{SELECT py_share('a')}, '55000', qr{files.*/log.*Close them}s, 'nor open files');
$alice->must(q{SELECT py_exec('a', 'f.close()')});
$alice->must(q{SELECT py_close('b'), py_close('c')});
fails($watcher, q{SELECT py_clone(py_open('own'), 'x')}, '55000', qr/container of its own.*hxpy\.share/s, 'a container of its own');
fails($watcher, q{SELECT py_share('own')}, '55000', qr/container of its own/, '... cannot be shared');
$watcher->query(q{SELECT py_close('own')});

# ---- py_share

is($alice->must(q{SELECT py_share('a')}), 'a', 'py_share');
is(parent(), 'a', 'hxpy_stat_pool shows it');
is($bob->must(q{SELECT coalesce(max(parent), '-') FROM hxpy_stat_pool}), '-', '... but not to others');
is($second->must(q{SELECT py_eval(py_open('s'), 'total()')}), '15', 'another connection finds the variables');
is($second->must(q{SELECT py_eval(py_init('s', 'once += 1'), 'once')}), '1', '... and that py_init has run');
$second->must(q{SELECT py_exec('s', 'import time; table[:] = 7; new = 1')});
is($alice->must(q{SELECT concat_ws(' ', py_eval('a', 'total()'), py_eval(py_open('later'), 'total()'))}), '15 15', 'what it changes is its own');
fails($alice, q{SELECT py_eval('later', 'new')}, '38000', qr/NameError/, '... what it adds, too');
$alice->must(q{SELECT py_exec('a', 'table[:] = 2')});
is($alice->must(q{SELECT py_eval(py_open('again'), 'total()')}), '15', 'the parent is as it was');
fails($bob, q{SELECT py_eval(py_open('s'), 'total()')}, '38000', qr/NameError/, 'another role finds nothing');
$second->send(q{SELECT py_exec('s', 'while True: time.sleep(0.01)')});
sleep 0.5;
kill 'INT', $second->pid;
fails($second, $second->wait, '57014', qr/keeps its variables/, 'a cancel hits one');
is($alice->must(q{SELECT py_eval('later', 'total()')}), '15', '... alone');
my @many = map { hxpy_psql($node, user => 'alice') } 1 .. 4;
$_->must(q{SELECT py_open('m')}) for @many;
is($bob->must(q{SELECT py_unshare()}), 'f', 'another role has nothing to unshare');
fails($alice, q{SELECT py_open('m')}, '53400', qr/no place.*hxpy\.sessions_per_container/s, 'over hxpy.sessions_per_container there is no other container without the variables');
$_->end for @many;
ok(wait_until(sub { $watcher->query(q{SELECT sessions FROM hxpy_stat_pool WHERE role = 'alice'})->{out} < 6 }, 10), 'their places are free');
is($alice->must(q{SELECT py_unshare()}), 't', 'py_unshare');
is(parent(), '', 'hxpy_stat_pool shows it');
is($alice->must(q{SELECT py_eval('again', 'total()')}), '15', 'sessions live on');
fails($alice, q{SELECT py_eval(py_open('m'), 'total()')}, '38000', qr/NameError/, 'new ones have no variables');
is($alice->must(q{SELECT py_unshare()}), 'f', 'there is nothing more to unshare');

# ---- what it takes

# Besides: process 1, the first parent, and what is forked ahead of the next session.
my $sessions = q{SELECT count(*) FROM hxpy_stat_sessions WHERE role = 'alice' AND state <> 'lost'};
ok(wait_until(sub { processes() == 3 + $watcher->query($sessions)->{out} }, 10), 'the parent has ended') or diag processes();
$alice->must(q{SELECT py_exec('a', 'big = np.ones(20_000_000)')});
is($alice->must(q{SELECT py_close(n) FROM unnest('{m,later,again}'::text[]) n}), "t\nt\nt", 'py_close');
$alice->must(q{SELECT py_share('a')});
is($alice->must(q{SELECT py_eval(py_open('e'), 'float(big.sum())')}), '20000000.0', 'a large array is there');
$alice->must(q{SELECT py_exec('e', 'sum(range(10 ** 7))')});      # more than the kernel's tick of 10 ms
ok(wait_until(sub { $alice->must(q{SELECT count(*) FROM hxpy_stat_sessions WHERE memory < 40 << 20 AND cpu_time > 0 AND session = 'e'}) eq '1' }, 20), 'memory and cpu_time of one that shares it are its own')
  or diag $watcher->query(q{SELECT session, memory, cpu_time FROM hxpy_stat_sessions})->{out};
ok($alice->must(q{SELECT memory > 100 << 20 FROM hxpy_stat_sessions WHERE session = 'a'}) eq 't', '... as those of the one that has made it');

# ---- ends

# One of the session's own Python: it may signal what was forked from it.
$alice->must(q{SELECT py_exec('a', $$
import os
def kill_parent():
    for name in os.listdir('/proc'):
        if name.isdigit() and int(name) not in (1, os.getpid(), os.getppid()):
            fields = open(f'/proc/{name}/stat').read().rpartition(')')[2].split()
            # It leads its group, and is no session.
            if int(fields[2]) == int(name) and int(name) not in keep:
                try:
                    os.kill(int(name), 9)
                except PermissionError:     # it waits for a session of the first parent's
                    pass$$)});
my $pid = $alice->must(q{SELECT py_eval('e', '__import__("os").getpid()')});
$alice->must("SELECT py_exec('a', 'keep = [$pid]')");
$alice->query(q{SELECT py_exec('a', 'kill_parent()')});
ok(wait_until(sub { parent() eq '' }, 10), 'a parent that is killed is none any more');
is($alice->must(q{SELECT py_eval('e', 'float(big.sum())')}), '20000000.0', 'what was forked from it lives');
fails($alice, q{SELECT py_eval(py_open('f'), 'float(big.sum())')}, '38000', qr/NameError/, 'new sessions have no variables');
$alice->send(q{SELECT py_exec('a', 'import time; time.sleep(0.1)'), py_share('a'), pg_sleep(60)});
sleep 1;
kill 'INT', $alice->pid;
fails($alice, $alice->wait, '57014', qr/./, 'a cancel after py_share');
is(parent(), 'a', '... which has happened');
$alice->must("SET hxpy.cancel_grace = '" . int(patience(2)) . "s'");
for my $sql (q{SELECT py_share('a')}, q{SELECT py_clone('a', 'x')})
{
	$alice->must(q{SELECT py_exec('a', 'import os, time; slow = True; os.register_at_fork(before=lambda: slow and time.sleep(0.5))')});
	$alice->send($sql);
	sleep 0.2;
	kill 'INT', $alice->pid;
	fails($alice, $alice->wait, '57014', qr/./, "a cancel within $sql");
	is($alice->query(q{SELECT py_eval('a', 'slow')})->{out}, 'true', '... leaves the session') ;
	is(parent(), 'a', '... and the parent before it');
	$alice->must(q{SELECT py_exec('a', 'slow = False')});
}
is($alice->must(q{SELECT py_eval(py_open('g'), 'float(big.sum())')}), '20000000.0', '... which is of use');
is($alice->must(q{SELECT py_eval(py_clone('a', 'x'), 'float(big.sum())')}), '20000000.0', 'py_clone, too');
$alice->end;
ok(wait_until(sub { $watcher->query($sessions)->{out} eq '1' }, 10), 'all sessions of the connection end');
is($second->must(q{SELECT py_eval(py_open('late'), 'float(big.sum())')}), '20000000.0', 'the parent stays');
my $launcher = launcher_pid($node);
kill 'TERM', $launcher;
ok(wait_until(sub { my $now = launcher_pid($node); $now ne '' && $now ne $launcher }, 20), 'a new launcher');
is($second->must(q{SELECT py_eval(py_clone('late', 'last'), 'float(big.sum())')}), '20000000.0', 'py_clone without a place in the pool');
fails($second, q{SELECT py_share('late')}, '55000', qr/takes no more sessions/, '... but no py_share');
fails($second, q{SELECT py_eval(py_open('new'), 'big')}, '38000', qr/NameError/, 'new sessions have a new container');

# ---- hxpy.start_proc

$watcher->query($_) for 'GRANT USAGE ON LANGUAGE hxpy TO alice', 'GRANT ALL ON SCHEMA public TO alice', 'SET ROLE alice',
	q{CREATE FUNCTION load() RETURNS void LANGUAGE hxpy AS $$ GD['loaded'] = __import__('os').getpid() $$},
	q{CREATE FUNCTION score() RETURNS boolean LANGUAGE hxpy AS $$ return GD['loaded'] == __import__('os').getpid() $$},
	'RESET ROLE', q{ALTER ROLE alice SET hxpy.start_proc = 'load'}, 'ALTER ROLE alice SET hxpy.start_proc_shared = on';
$second->end;
my @three = map { hxpy_psql($node, user => 'alice') } 1 .. 3;
is(join(' ', map { $_->must('SELECT score()') } @three), 't f f', 'hxpy.start_proc runs once, and later sessions are forked from that');
is(parent(), 'default', '... which hxpy_stat_pool shows');
$_->end for @three;

hxpy_finish($node);
