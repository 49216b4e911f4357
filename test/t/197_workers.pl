# Copies of a session that work for one call: a cancel, a timeout, a death, want of memory and the
# end of a backend end all of them, and what they print arrives whole; also in shared containers.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use Test::More;

my $node = hxpy_cluster('workers', q{shared_preload_libraries = 'hxpy'}, 'hxpy.pool_size = 0', 'hxpy.role_memory = 900MB');
my $other = hxpy_psql($node);

# How many processes a container has.
sub processes { return scalar(() = docker('top', $_[0], '-o', 'pid') =~ /^\d+$/mg); }

my $prepare = <<'END';
SELECT py_exec(py_open('s', memory => '400MB'), $py$
import os, time
kept = 42
home = os.getpid()
def ours():
    if os.getpid() == home:
        time.sleep(0.06)
    return os.getpid() == home
def stops(df):
    if not ours():
        print('ready')
        time.sleep(60)
    return df
def one_dies(df):
    if not ours():
        if os.getpid() % 3 == 0: os.kill(os.getpid(), 9)
        time.sleep(60)
    return df
def stubborn(df):
    if not ours():
        print('ready')
        while True:
            try: time.sleep(60)
            except BaseException: pass
    return df
def eats(df):
    if not ours():
        held = []
        while True: held.append(bytearray(os.urandom(1 << 20)))
    return df
def floods(df):
    if not ours(): print('x' * 100000)
    return df
def prints(df):
    number = 0 if ours() else os.getpid()
    for line in range(20):
        print(str(number) * 20, end='')
        print(' ', str(number) * 3000)
    return df
def many(df):
    ours()
    return df.loc[df.index.repeat(100)]
$py$)
END

for my $share ('off', 'role')
{
	my $psql = hxpy_psql($node, user => 'alice');
	my $pid = $psql->pid;
	$other->must("ALTER ROLE alice SET hxpy.share = $share");
	$psql->end;
	$psql = hxpy_psql($node, user => 'alice');
	$pid = $psql->pid;
	$psql->must('SET hxpy.batch_size = 16');
	$psql->must($prepare);
	my $container = $other->query(q{SELECT container FROM hxpy_stat_sessions WHERE role = 'alice'})->{out};
	my $alone = processes($container);
	my $apply = sub {
		my ($function, $rows) = @_;
		return "SELECT count(*) FROM py_apply('s', '$function', 'SELECT i FROM generate_series(1, " . ($rows // 100000) . ") AS i', workers => 3) AS t(i int)";
	};
	my $is_left = sub {
		gives($psql, q{SELECT py_eval('s', 'kept')}, '42', "share $share: $_[0]: the session keeps its variables");
		wait_until(sub { processes($container) == $alone }, 10);
		is(processes($container), $alone, "... and its copies are gone");
	};

	$psql->send($apply->('stops'));
	$psql->wait_message(qr/ready/, 60) or die 'no copy';
	is(processes($container), $alone + 3, "share $share: three copies");
	$other->query("SELECT pg_cancel_backend($pid)");
	fails($psql, $psql->wait, '57014', qr/canceling statement due to user request.*DETAIL.*keeps its variables/s, 'a cancel');
	$is_left->('cancel');
	fails($psql, q{SET hxpy.eval_timeout = '2s'; } . $apply->('stubborn'), '57014', qr/hxpy.eval_timeout.*keeps its variables/s, 'a timeout, of copies that ignore interrupts');
	$psql->must('RESET hxpy.eval_timeout');
	$is_left->('timeout');

	fails($psql, $apply->('one_dies'), '38000', qr/a copy of the session was killed by SIGKILL/, 'a copy that is killed while others work');
	$is_left->('kill');

	if ($share eq 'off')
	{
		my $result = $psql->query($apply->('eats'));
		like($result->{err}, qr/53000.*it took more memory than is left|08006|MemoryError/s, 'a copy that takes all memory ends the call');
		$psql->query(q{SELECT py_close('s')});
		$psql->must($prepare);
		$container = $other->query(q{SELECT container FROM hxpy_stat_sessions WHERE role = 'alice'})->{out};
		$is_left->('memory');
	}

	my $printed = $psql->query($apply->('prints', 20000));
	my @lines = ($printed->{err} =~ /NOTICE:\s+00000: (\d+  \d+)$/mg);
	cmp_ok(scalar(@lines), '>', 60, 'output of copies comes');
	is(scalar(grep { !/^((\d+?)\2{19})  \2{3000}$/ } @lines), 0, '... in whole lines');
	my $flood = $psql->query($apply->('floods'));
	cmp_ok(length($flood->{err}), '<', 1_300_000, '... up to the limit of all');
	like($flood->{err}, qr/output cut at the limit/, '... which is told');
	gives($psql, $apply->('many', 50000), '5000000', 'much that comes back waits in the copies');
	$is_left->('much');

	$psql->send($apply->('stubborn'));
	$psql->wait_message(qr/ready/, 60) or die 'no copy';
	$other->query("SELECT pg_terminate_backend($pid)");
	wait_until(sub { !grep { $_ eq $container } containers($node) }, 30) if $share eq 'off';
	wait_until(sub { $other->query(q{SELECT count(*) FROM hxpy_stat_sessions WHERE role = 'alice'})->{out} eq '0' }, 30);
	is($other->query(q{SELECT count(*) FROM hxpy_stat_sessions WHERE role = 'alice'})->{out}, '0', "share $share: all ends with the backend");
	$psql->end;
}

$other->end;
hxpy_finish($node);
