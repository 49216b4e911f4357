# HostileTest.pm: what the tests of hostile containers share.
#
# hostile.py takes the place of supervisor and worker in the image of the session "h", and does
# what the text of each request tells it.  Whatever comes, the backend lives, the error is an
# ERROR of a sane SQLSTATE without control characters, and the session "g" of the same
# backend, which is a good one, works.

package HostileTest;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use HxpyTest;
use List::Util qw(max min shuffle);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

our @EXPORT = qw(
  hostile_cluster hostile_database backend hostile all_of some rss quote tried anew
  %calls $broken $lost $ended $fine $sane $grace
);

our $grace = 0.2;
our $broken = '08P01';
our $lost = '08006';
our $ended = '57014';
our $fine = '00000';
# What an answer that is no good may end in: any of these, never an internal error.
our $sane = '00000|08P01|22\w{3}|23\w{3}|38000|42\w{3}|54000|54001|54011';

my ($node, $image, $seed);
my $tried = 0;

# how the hostile session is called: %L is the text
our %calls = (
	eval => q{SELECT py_eval('h', %L)},
	int => q{SELECT py_eval('h', %L, NULL::int)},
	nested => q{SELECT py_eval('h', %L, NULL::nested[])},
	exec => q{SELECT py_exec('h', %L)},
	init => q{SELECT py_init('h', %L)},
	define => q{SELECT py_define('h', %L, 1)},
	grid => q{SELECT string_agg(a || b || c::text || d::text, ';') FROM py_eval_grid('h', %L) AS t(a int, b text, c float8[], d nested)},
	stored => q{SELECT string_agg(t::text, ';') FROM py_eval_grid('h', %L) AS t(a int, b text, c float8[], d nested)},
	limit => q{SELECT count(*) FROM (SELECT a FROM py_eval_grid('h', %L) AS t(a int, b text, c float8[], d nested) LIMIT 3) AS s},
	send => q{SELECT py_define_grid('h', %L, $$SELECT i, repeat('x', 100) AS x FROM generate_series(1, 20000) AS i$$)},
	apply => q{SELECT sum(a) FROM py_apply('h', %L, $$SELECT i, repeat('x', 100) AS x FROM generate_series(1, 20000) AS i$$) AS t(a int)},
	applied => q{SELECT sum((t).a) FROM (SELECT t FROM py_apply('h', %L, $$SELECT i, repeat('x', 100) AS x FROM generate_series(1, 20000) AS i$$) AS t(a int)) AS s},
	save => q{SELECT encode(py_save('h', %L), 'hex')},
	keep => q{SELECT lo_unlink(py_save_lo('h', %L))},
	load => q{SELECT py_load('h', %L, convert_to(repeat('x', 3000000), 'UTF8'))},
	agg => q{SELECT py_agg('h', %L, i) FROM generate_series(1, 10) AS i},
	create => q{SELECT py_eval_into('h', %L, 'made', 'replace')},
	append => q{SELECT py_eval_into('h', %L, 'target', 'append')},
);


# Make a cluster, and the image; returns (node, image).
sub hostile_cluster
{
	my ($name, @settings) = @_;
	$seed = $ENV{HXPY_TEST_SEED} // time % 1_000_000;
	srand $seed;
	note "HXPY_TEST_SEED=$seed";
	$node = hxpy_cluster($name, q{hxpy.allowed_images = '*'}, 'hxpy.cancel_grace = 200ms', 'log_min_messages = warning', @settings);
	$image = variant_image('hostile');
	hostile_database('postgres');
	return ($node, $image);
}

# attempt(code, call, limit) has the hostile session "h" run a text by the call given, and
# says what came of it: the SQLSTATE, after which the good session "g" must work.
sub attempt
{
	return qq{
	CREATE FUNCTION attempt(code text, call text, allowed int) RETURNS text LANGUAGE plpgsql AS \$\$
	DECLARE
		state text := '00000';
		value text;
		message text;
		detail text;
		hint text;
		context text;
		told text;
	BEGIN
		PERFORM py_open('h', '$image', log_level => 'debug');
		PERFORM set_config('hxpy.eval_timeout', allowed::text, false);
		BEGIN
			EXECUTE format(call, code) INTO value;
		EXCEPTION WHEN OTHERS OR query_canceled THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
				context = PG_EXCEPTION_CONTEXT;
			state := SQLSTATE;
		END;
		PERFORM set_config('hxpy.eval_timeout', '60000', false);
		told := concat_ws(E'\\n', message, detail, hint, context);
		IF state !~ '^22' AND told COLLATE "C" ~ '[\\x01-\\x08\\x0b-\\x1f\\x7f]' OR length(told) > 80000 THEN
			RETURN state || ' with an unclean message';
		END IF;
		IF py_eval('g', '6 * 7') <> '42' THEN
			RETURN state || ' and the good session is broken';
		END IF;
		RETURN state || ' ' || coalesce(left(CASE state WHEN '00000' THEN value ELSE told END, 300), '');
	END\$\$};
}

# Make what the attempts need in a database.
sub hostile_database
{
	my ($dbname) = @_;
	$node->safe_psql($dbname, $_) for attempt(), 'CREATE TYPE nested AS (f bigint, g bytea)', 'CREATE TABLE target (a int, b text, c float8[], d nested, "e "" f" date)';
	return;
}

# Start a backend with both sessions.
sub backend
{
	my ($dbname, @options) = @_;
	my $psql = hxpy_psql($node, dbname => $dbname, setup => ['SET client_min_messages = error'], @options);
	$psql->query(q{SELECT py_open('g')});
	return $psql;
}

# Have the hostile session do something; the state must match.
sub hostile
{
	my ($psql, $call, $code, $states, $limit) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	# Long enough for those without a limit of their own, and shorter than psql's deadline.
	$limit //= int(min(80, patience(20)) * 1000);
	my $result = $psql->query(sprintf 'SELECT attempt(%s, %s, %d)', map({ quote($_) } $code, $calls{$call} // $call), $limit);

	$tried++;
	my $what = $result->{state} eq '00000' ? $result->{out} : "$result->{state} $result->{err}";
	my $ok = $what =~ /^(?:$states)(?: (?!with|and)|$)/ && ($result->{seconds} < $limit / 1000 + $grace + patience(1) || diag "it took $result->{seconds} s");
	return $ok if $ok;
	fail("$call: $code");
	diag substr($what, 0, 2000), "\nexpected $states";
	return 0;
}

# A text as a literal of SQL.
sub quote
{
	my ($text) = @_;
	$text =~ s/'/''/g;
	return "'$text'";
}

# Try a list of [call, code, states, limit]; one test for all.
sub all_of
{
	my ($psql, $name, @cases) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $start = time;
	my $good = grep { hostile($psql, @$_) } @cases;
	note sprintf '%.1f MB', rss($psql);
	is($good, scalar @cases, "$name: " . @cases . ' cases, ' . sprintf('%.1f s', time - $start));
	return;
}

# Some of a list, all of it with enough rounds.
sub some
{
	my ($count, @list) = @_;
	my @some = (shuffle @list)[0 .. min(hxpy_rounds($count), scalar @list) - 1];
	return @some;
}

# Memory of a backend's own, in MB.
sub rss
{
	my ($psql) = @_;
	return slurp_file('/proc/' . $psql->pid . '/status') =~ /^RssAnon:\s*(\d+) kB/m ? $1 / 1024 : die 'no RssAnon';
}

# Close the hostile session, and with it what the last case has left.
sub anew
{
	my ($psql) = @_;
	$psql->query(q{SELECT py_close('h')});
	return;
}

# How many attempts there were, with those that are to be counted, too.
sub tried
{
	my ($more) = @_;
	return $tried += $more // 0;
}

1;
