# SQL that calls Python that runs SQL …: cancel, time limits and deaths at depth 1 and 5.
# After a cancel every session that took part works on; one that has died is opened anew by
# the next call of a function, and the others keep what they have.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $grace = 2;
my $node = hxpy_cluster('depth', "hxpy.memory = '256MB'", "hxpy.max_sessions = 16");
$node->safe_psql('postgres', $_) for 'GRANT USAGE ON LANGUAGE hxpy TO hxpy_user', 'GRANT CREATE ON SCHEMA public TO hxpy_user';
my $psql = hxpy_psql($node, user => 'alice', setup => ['SET client_min_messages = notice']);

# dive(n, what, way): n calls inside each other, in one session or in one each; the innermost does something.
$psql->must($_) for q{
	CREATE FUNCTION dive(depth int, what text, way text) RETURNS text LANGUAGE hxpy AS $$
	GD['calls'] = GD.get('calls', 0) + 1
	if depth > 1:
	    name = 'caught' if way == 'caught' and depth == 4 else 'other' if way == 'many' else 'dive'
	    return plpy.execute(f'SELECT {name}({depth - 1}, {plpy.quote_literal(what)}, {plpy.quote_literal(way)}) AS t')[0]['t']
	import os, time
	plpy.notice('there')
	exec(what)
	return 'back'
	$$},
  q{CREATE FUNCTION other(depth int, what text, way text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM set_config('hxpy.session', 'level ' || depth, true);
		RETURN dive(depth, what, way);
	END $$},
  q{CREATE FUNCTION caught(depth int, what text, way text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		RETURN dive(depth, what, way);
	EXCEPTION WHEN OTHERS OR query_canceled THEN
		RETURN 'caught ' || sqlstate;
	END $$},
  q{CREATE FUNCTION calls() RETURNS int LANGUAGE hxpy AS $$ return GD.get('calls', 0) $$};

# How often each session was called, as far as they are open.
sub calls
{
	return $psql->must(q{SELECT string_agg(session || ' ' || py_eval(session, 'globals().get("calls", 0)', NULL::int), ', ' ORDER BY session) FROM py_sessions()});
}

# A call of this depth; its innermost does `what`.
sub dive { my ($depth, $what, $way) = @_; return sprintf q{SELECT dive(%d, '%s', '%s')}, $depth, $what =~ s/'/''/gr, $way; }

my $endless = "while True: time.sleep(0.001)";
my $asking = "while True: plpy.execute('SELECT pg_sleep(0.001)')";

for my $way (qw(one many))
{
	for my $depth (1, 5)
	{
		my $name = "depth $depth, $way";
		gives($psql, dive($depth, 'pass', $way), 'back', "$name: there and back");
		for my $what ($endless, $asking, "plpy.execute('SELECT pg_sleep(60)')")
		{
			my $before = calls();
			$psql->send(dive($depth, $what, $way));
			ok($psql->wait_message(qr/there/), "$name: $what");
			my $start = time;
			kill 'INT', $psql->pid;
			my $result = fails($psql, $psql->wait, '57014', qr/canceling statement due to user request/, '... is canceled');
			ok($result->{ended} - $start < patience($grace), sprintf '... in %.0f ms', ($result->{ended} - $start) * 1000);
			isnt(calls(), $before, '... all sessions are there') or diag $before;
			is(scalar(split /, /, calls()), scalar(split /, /, $before), '... the same ones');
		}
		$psql->must(q{SET statement_timeout = '400ms'});
		fails($psql, dive($depth, $_, $way), '57014', qr/statement timeout/, "$name: statement_timeout of $_") for $endless, $asking;
		$psql->must('RESET statement_timeout');
		$psql->must(q{SET hxpy.eval_timeout = '300ms'});
		fails($psql, dive($depth, $endless, $way), '57014', qr/hxpy.eval_timeout/, "$name: hxpy.eval_timeout");
		$psql->must('RESET hxpy.eval_timeout');
		gives($psql, dive($depth, 'pass', $way), 'back', "$name: afterwards");
	}
}

# Caught by SQL in the middle: the outer calls go on.
$psql->must(q{SET statement_timeout = '400ms'});
gives($psql, dive(5, $endless, 'caught'), 'caught 57014', 'a time limit is caught in the middle');
$psql->must('RESET statement_timeout');
gives($psql, dive(5, '1 / 0', 'caught'), 'caught 38000', 'an error is');

# ---- at random moments

my $busy = q{for i in range(20): plpy.execute("SELECT dive(2, $x$pass$x$, $x$one$x$)")};
my ($canceled, $sessions) = (0, scalar(split /, /, calls()));
for my $round (1 .. hxpy_rounds(30))
{
	my $way = $round % 2 ? 'one' : 'many';
	$psql->send(dive(5, $busy, $way));
	sleep rand 0.15;
	kill 'INT', $psql->pid;
	my $result = $psql->wait;
	ok(0, "round $round: $result->{state} $result->{err}") if $result->{state} !~ /^(57014|00000)$/;
	$canceled += $result->{state} eq '57014';
	my $again = $psql->query(dive(5, 'pass', $way));
	# A cancel may come when its statement has ended already.
	$again = $psql->query(dive(5, 'pass', $way)) if $again->{state} eq '57014';
	ok(0, "after round $round: $again->{state} $again->{err}") if $again->{out} ne 'back';
}
ok($canceled > 0, "$canceled cancels at random moments");
is(scalar(split /, /, calls()), $sessions, 'no session was lost');

# ---- deaths

my %deaths = (
	'kill -9' => ['os.kill(os.getpid(), 9)', qr/session "\S[^"]*" was lost: Python was terminated by SIGKILL/],
	'out of memory' => ['x = bytearray(2 << 30); x[::4096] = b"x" * len(x[::4096])', qr/was lost: Python ran out of memory/],
	'exit' => ['os._exit(3)', qr/was lost: Python exited with status 3/]);
for my $way (qw(one many))
{
	for my $depth (1, 5)
	{
		for my $death (sort keys %deaths)
		{
			my ($code, $pattern) = @{ $deaths{$death} };
			my $name = "$death at depth $depth, $way";
			$psql->must(dive($depth, 'pass', $way));
			my $before = calls();
			fails($psql, dive($depth, $code, $way), '08006', $pattern, $name);
			gives($psql, dive($depth, 'pass', $way), 'back', '... the next call has a new session');
			my $kept = () = calls() =~ /\b1\b/g;
			cmp_ok($kept, '>=', 1, '... which knows nothing of the old one') or diag "$before, ", calls();
		}
	}
}
# From outside: the whole container.
for my $depth (1, 5)
{
	my ($id) = session_container($psql, 'default');
	$psql->send(dive($depth, $endless, 'one'));
	$psql->wait_message(qr/there/);
	docker_ok('kill', $id);
	fails($psql, $psql->wait, '08006', qr/was lost: its container is gone|was lost/, "its container is killed at depth $depth");
	gives($psql, dive($depth, 'pass', 'one'), 'back', '... the next call has a new one');
}
# Caught by SQL in the middle: the outer calls in that session cannot go on.
$psql->must(dive(1, 'pass', 'one'));
fails($psql, dive(5, 'os.kill(os.getpid(), 9)', 'caught'), '08006', qr/lost while SQL ran that Python had asked for/, 'a death that is caught in the middle ends the outer calls');
gives($psql, dive(5, 'pass', 'caught'), 'back', '... and the next has a new session');
# One that an outer call has lost and opened anew within itself.
$psql->must(q{CREATE FUNCTION again() RETURNS text LANGUAGE plpgsql AS $$
	DECLARE t text := caught(3, 'os.kill(os.getpid(), 9)', 'one');
	BEGIN RETURN t || ', ' || dive(2, 'pass', 'one'); END $$});
gives($psql, 'SELECT again()', 'caught 08006, back', 'a function opens it anew in the same statement');
fails($psql, q{DO LANGUAGE hxpy $$ plpy.notice(plpy.execute('SELECT again() AS t')[0]['t']) $$}, '08006', qr/lost while SQL ran that Python had asked for/, '... but for a call that waits in the old one');
# In sets, triggers and tables that are written.
$psql->must(q{CREATE FUNCTION rows(n int, what text) RETURNS SETOF int LANGUAGE hxpy AS $$
	for i in range(n):
	    if i == 1000: plpy.execute(f'SELECT dive(3, {plpy.quote_literal(what)}, $x$one$x$)')
	    yield i
	$$});
$psql->must($_) for 'CREATE TABLE t (i int)', q{CREATE FUNCTION tell() RETURNS trigger LANGUAGE hxpy AS $$ plpy.execute(f"SELECT dive(3, {plpy.quote_literal(TD['args'][0])}, 'one')") $$},
  q{CREATE TRIGGER t AFTER INSERT ON t FOR EACH ROW WHEN (NEW.i = 7) EXECUTE FUNCTION tell('os.kill(os.getpid(), 9)')};
for my $sql (q{SELECT count(*) FROM rows(5000, 'os.kill(os.getpid(), 9)')}, q{INSERT INTO t SELECT generate_series(1, 100)},
	q{DO LANGUAGE hxpy 'import hxpy; hxpy.to_table(({"i": i} for i in range(100)), "t", "append")'},
	q{DO LANGUAGE hxpy 'import hxpy; hxpy.to_table(({"i": plpy.execute("SELECT dive(3, $$os.kill(os.getpid(), 9)$$, $$one$$)")} for i in range(100)), "t", "append")'})
{
	fails($psql, $sql, '08006', qr/was lost/, "a death in $sql");
	gives($psql, dive(2, 'pass', 'one'), 'back', '... and the next call');
}
gives($psql, 'SELECT count(*) FROM t', '0', 'nothing was written');
$psql->must('SELECT py_close_all()');

hxpy_finish();
