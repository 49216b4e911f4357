# The column codec in C: golden batches (test/golden/golden.json) both ways, and
# damaged ones, which must give an error or a value, never a dead backend.
#
# Needs no Docker.  Builds test/modules/hxpy_test in a temporary directory, so that
# what is tested are the sources of src/, not what is installed; only the Haystack
# domains are those of the hxpy that is installed.

use strict;
use warnings FATAL => 'all';
use utf8;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $top = $ENV{HXPY_TOP} // die "run this through test/run-tap";
my $golden = JSON::PP->new->utf8->decode(slurp_file("$top/test/golden/golden.json"));

# ---- the module -------------------------------------------------------------

my $build = PostgreSQL::Test::Utils::tempdir;
my ($version) = slurp_file("$top/hxpy.control") =~ /default_version *= *'(.*)'/;
system_or_bail('cp', map({ "$top/test/modules/hxpy_test/$_" }
		qw(Makefile hxpy_test.c hxpy_test.control hxpy_test--1.0.sql)), $build);
system_or_bail('make', '-s', '-C', $build, "SRC=$top/src", "HXPY_VERSION=$version",
	'with_llvm=no', 'hxpy_test.so');
my $functions = slurp_file("$build/hxpy_test--1.0.sql");
$functions =~ s/^\\echo.*$//m;
$functions =~ s/MODULE_PATHNAME/$build\/hxpy_test/g;

my $node = PostgreSQL::Test::Cluster->new('golden');
$node->init(extra => [ '-E', 'UTF8', '--locale=C' ]);
# Its workers die with FATAL when they are at work on large tables at the end.
$node->append_conf('postgresql.conf', 'autovacuum = off');
$node->start;

my $damage = <<'END';
-- Batches like a good one, but damaged: cut at every byte; each field of four and
-- eight bytes and each tag set to what hurts; each byte changed.
CREATE FUNCTION damaged(batch bytea, thorough bool) RETURNS SETOF bytea LANGUAGE sql AS $$
  SELECT substring(batch FOR i) FROM generate_series(0, length(batch) - 1) i
  UNION ALL
  SELECT batch || batch
  UNION ALL
  SELECT overlay(batch PLACING v FROM i + 1 FOR length(v))
    FROM generate_series(0, length(batch) - 4, 4) i,
         unnest(ARRAY['\x00000000', '\x01000000', '\xffffff7f', '\x00000080', '\xffffffff']::bytea[]) v
  UNION ALL
  SELECT overlay(batch PLACING v FROM i + 1 FOR length(v))
    FROM generate_series(0, length(batch) - 8, 8) i,
         unnest(ARRAY['\x0000000000000000', '\x0100000000000000', '\xffffff7f00000000',
                      '\xffffffff00000000', '\xffffffffffffff7f', '\x0000000000000080',
                      '\xffffffffffffffff', '\xf8ffffffffffffff', '\xf0ffffffffffff1f']::bytea[]) v
  UNION ALL
  SELECT set_byte(batch, i, v)
    FROM generate_series(0, length(batch) - 1) i, unnest(ARRAY[0, 1, 2, 26, 128, 255]) v
  UNION ALL
  SELECT set_byte(batch, 8, v) FROM generate_series(0, 255) v
  UNION ALL
  SELECT set_byte(batch, i, v)
    FROM generate_series(16, length(batch) - 1, 8) i, generate_series(0, 255) v WHERE thorough
$$;

-- How often damaged batches gave which SQLSTATE.
CREATE FUNCTION survive(batch bytea, type text, thorough bool, INOUT states jsonb)
LANGUAGE plpgsql AS $$
DECLARE
  query text := CASE WHEN type IN ('record', 'record[]') THEN 'SELECT hxpy_test_parse($1)' ELSE
    format('SELECT count(v::text) FROM (SELECT hxpy_test_decode($1, NULL::%s) AS v) s', type) END;
  one bytea;
  state text;
BEGIN
  FOR one IN SELECT * FROM damaged(batch, thorough) LOOP
    BEGIN
      EXECUTE query USING one;
      state := '00000';
    EXCEPTION WHEN OTHERS THEN
      state := SQLSTATE;
      IF state !~ '^(08P01|22...|23514|54000|54001)$' THEN
        RAISE WARNING '% % %: %', state, type, SQLERRM, one;
      END IF;
    END;
    states := jsonb_set(states, ARRAY[state], to_jsonb(coalesce((states->>state)::int, 0) + 1));
  END LOOP;
END $$;

-- The SQLSTATE of a query.
CREATE FUNCTION state_of(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE query;
  RETURN '00000';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;
END

my %database = (UTF8 => 'utf8', SQL_ASCII => 'sql_ascii', LATIN1 => 'latin1');
for my $encoding (sort keys %database)
{
	$node->safe_psql('postgres',
		"CREATE DATABASE $database{$encoding} ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
	my $script = "SET client_encoding = utf8;\n$golden->{schema}$functions$damage";
	utf8::encode($script);
	$node->safe_psql($database{$encoding}, $script);
}

# Run SQL (characters) in one session; returns its rows.
sub rows
{
	my ($database, $script) = @_;
	my ($out, $err) = ('', '');
	$script = "SET client_encoding = utf8; SET statement_timeout = '60s';\n$script";
	utf8::encode($script);
	my $status = $node->psql($database, $script, stdout => \$out, stderr => \$err,
		on_error_stop => 1);
	utf8::decode($out);
	fail("$database: $err") if $status;
	diag($err) if $err =~ /WARNING/;
	return split /\n/, $out;
}

sub settings
{
	my ($case) = @_;
	my %settings = %{ $case->{settings} };
	return "RESET ALL; SET client_encoding = utf8; SET statement_timeout = '60s';\n"
	  . join('', map { "SET $_ = '$settings{$_}';\n" } sort keys %settings);
}

# ---- golden batches ---------------------------------------------------------

my @cases = @{ $golden->{columns} };
my ($script, @expected) = ('LOAD ' . "'$build/hxpy_test.so';\n");
for my $case (@cases)
{
	my $type = $case->{type};
	my $arguments = join ', ', map { "($_)::$type" } @{ $case->{sql} };
	$script .= settings($case) . "SELECT encode(hxpy_test_encode($arguments), 'hex');\n";
	push @expected, [ "$case->{name}: encoded", $case->{batch} ];
	next unless exists $case->{want};
	$script .= "SELECT encode(hxpy_test_want(NULL::$type), 'hex');\n";
	push @expected, [ "$case->{name}: wanted", $case->{want} ];
	for my $field ('batch', 'back')
	{
		# What was sent comes back as it was, but for what Python does not know.
		my $values = $field eq 'back' ? $case->{sql_back} : $case->{sql_c};
		my $list = join ', ', map { "(($_)::$type)" } @$values;
		my $text = "string_agg(coalesce(v::text, '<null>'), ' | ')";
		$script .= "SELECT (SELECT $text FROM (SELECT hxpy_test_decode('\\x$case->{$field}', "
		  . "NULL::$type) AS v) s) IS NOT DISTINCT FROM "
		  . "(SELECT $text FROM (VALUES $list) s(v));\n";
		push @expected, [ "$case->{name}: $field decoded", 't' ];
	}
}
my @rows = rows('utf8', $script);
is(scalar(@rows), scalar(@expected), 'every golden query has answered');
is($rows[$_], $expected[$_][1], $expected[$_][0]) for 0 .. $#expected;

# ---- damaged batches --------------------------------------------------------

for my $encoding (sort keys %database)
{
	my $script = "SELECT pg_backend_pid();\nCREATE TEMP TABLE result (states jsonb);\n"
	  . "INSERT INTO result VALUES ('{}');\n";
	for my $case (@cases)
	{
		my $thorough = $encoding eq 'UTF8' && $case->{name} =~ /null$|2-D|nested|\[\]$/ ? 'true' : 'false';
		$script .= settings($case);
		$script .= "UPDATE result SET states = survive('\\x$case->{$_}', '$case->{type}', $thorough, states);\n"
		  for grep { exists $case->{$_} } 'batch', $thorough eq 'true' ? 'back' : ();
	}
	$script .= "SELECT states FROM result;\nSELECT pg_backend_pid();\n";
	my ($before, $states, $after) = rows($database{$encoding}, $script);
	is($after, $before, "$encoding: the backend lives");
	my %count = %{ decode_json($states // '{}') };
	my @strange = grep { !/^(00000|08P01|22...|23514|54000|54001)$/ } keys %count;
	is("@strange", '', "$encoding: only fitting SQLSTATEs");
	my $total = 0;
	$total += $_ for values %count;
	note("$encoding: $total damaged batches: " . join(', ', map { "$_ $count{$_}" } sort keys %count));
	cmp_ok($total, '>', 10000, "$encoding: enough damaged batches");
}

# ---- chosen ones ------------------------------------------------------------

# A column's bytes: tag, count, the rest.
sub column
{
	my ($tag, $count, $rest, %more) = @_;
	my $label = $more{label} // '';
	my $bytes = pack('CCvVQ<', $tag, $more{flags} // 0, 0, length $label, $count) . $label;
	$bytes .= "\0" x (-length($bytes) % 8);
	$bytes .= $rest;
	return $bytes . "\0" x (-length($bytes) % 8);
}

sub text { my $text = join "\0", @_; return column(16, scalar(@_), pack('Q<', length $text) . $text) }
sub batch { return pack('VV', scalar(@_), 0) . join '', @_ }
sub hex_of { return unpack 'H*', $_[0] }

# What damage gives: [name, batch, type, SQLSTATE in UTF8, SQL_ASCII, LATIN1].
my @chosen = (
	[ 'text', batch(text('a')), 'text', ('00000') x 3 ],
	[ 'overlong UTF-8', batch(text("\xc0\x80")), 'text', ('22021') x 3 ],
	[ 'half a character', batch(text("a\xe2\x82")), 'text', ('22021') x 3 ],
	[ 'surrogate', batch(text("\xed\xa0\x80")), 'text', ('22021') x 3 ],
	[ 'beyond Unicode', batch(text("\xf4\x90\x80\x80")), 'text', ('22021') x 3 ],
	[ 'Latin-1 bytes', batch(text("gr\xf6\xdfe")), 'text', ('22021') x 3 ],
	[ 'euro sign', batch(text("\xe2\x82\xac")), 'text', '00000', '00000', '22P05' ],
	[ 'euro sign in jsonb', batch(column(18, 1, pack('Q<', 5) . "\"\xe2\x82\xac\"")), 'jsonb',
		'00000', '00000', '22P05' ],
	[ 'surrogate in jsonb', batch(column(18, 1, pack('Q<', 5) . "\"\xed\xa0\x80\"")), 'jsonb', ('22021') x 3 ],
	[ 'no json', batch(column(18, 1, pack('Q<', 1) . '{')), 'jsonb', ('22P02') x 3 ],
	[ 'NUL in jsonb', batch(column(18, 1, pack('Q<', 8) . '"\u0000"')), 'jsonb', ('22P05') x 3 ],
	[ 'deep jsonb', batch(column(18, 1, pack('Q<', 100000) . '[' x 100000)), 'jsonb', ('54001') x 3 ],
	[ 'two values for one', batch(column(16, 1, pack('Q<', 3) . "a\0b")), 'text', ('08P01') x 3 ],
	[ 'one value for two', batch(column(16, 2, pack('Q<', 3) . "abc")), 'text', ('08P01') x 3 ],
	[ 'no values but text', batch(column(16, 0, pack('Q<', 3) . "abc")), 'text', ('08P01') x 3 ],
	[ 'wrong tag', batch(text('1')), 'int', ('08P01') x 3 ],
	[ 'unknown flag', batch(column(3, 1, pack('l<', 1), flags => 2)), 'int', ('08P01') x 3 ],
	[ 'no column', batch(), 'int', ('08P01') x 3 ],
	[ 'two columns', batch(text('a'), text('b')), 'text', ('08P01') x 3 ],
	[ 'last date', batch(column(7, 1, pack('l<', 2145042905))), 'date', ('00000') x 3 ],
	[ 'date too late', batch(column(7, 1, pack('l<', 2145042906))), 'date', ('22008') x 3 ],
	[ 'first date', batch(column(7, 1, pack('l<', -2440588))), 'date', ('00000') x 3 ],
	[ 'date too early', batch(column(7, 1, pack('l<', -2440589))), 'date', ('22008') x 3 ],
	[ 'date of -infinity', batch(column(7, 1, pack('l<', -2147483648))), 'date', ('22008') x 3 ],
	[ 'date of infinity', batch(column(7, 1, pack('l<', 2147483647))), 'date', ('22008') x 3 ],
	[ 'time 24:00', batch(column(8, 1, pack('q<', 86400000000))), 'time', ('00000') x 3 ],
	[ 'time after 24:00', batch(column(8, 1, pack('q<', 86400000001))), 'time', ('22008') x 3 ],
	[ 'time before 0:00', batch(column(8, 1, pack('q<', -1))), 'time', ('22008') x 3 ],
	map({ my ($tag, $type) = @$_;
		([ "$type, the last on the wire", batch(column($tag, 1, pack('q<', 9223372036854775807))), $type, ('00000') x 3 ],
		 [ "$type, the first on the wire", batch(column($tag, 1, pack('q<', -9223372036854775807 - 1))), $type, ('22008') x 3 ],
		 [ "$type that wraps", batch(column($tag, 1, pack('q<', -9223372036854775807))), $type, ('22008') x 3 ])
	} ([ 9, 'timestamp' ], [ 10, 'timestamptz' ])),
	[ 'longest interval', batch(column(11, 1, pack('q<', 9223372036854775807))), 'interval', ('00000') x 3 ],
	[ 'shortest interval', batch(column(11, 1, pack('q<', -9223372036854775807 - 1))), 'interval', ('00000') x 3 ],
	[ 'domain', batch(column(3, 1, pack('l<', -1))), 'positive', ('23514') x 3 ],
	[ 'no label of the enum', batch(text('bad')), 'mood', ('22P02') x 3 ],
	[ 'no id of a Ref', batch(column(20, 1, pack('Q<', 3) . 'a b')), 'hs_ref', ('23514') x 3 ],
	[ 'bytea offsets that fall', batch(column(24, 2, pack('q<3', 0, 4, 2) . 'abcd')), 'bytea', ('08P01') x 3 ],
	[ 'bytea offsets from one', batch(column(24, 1, pack('q<2', 1, 4) . 'abcd')), 'bytea', ('08P01') x 3 ],
	[ 'array of seven dimensions', batch(column(25, 1, pack('q<2', 0, 1) . pack('Q<l<8', 8, 7, (1) x 7) . column(3, 1, pack('l<', 1)))), 'int[]', ('08P01') x 3 ],
	[ 'array with sizes that overflow', batch(column(25, 1, pack('q<2', 0, 1) . pack('Q<l<6', 6, 5, (65536) x 4, 1) . column(3, 1, pack('l<', 1)))), 'int[]', ('08P01') x 3 ],
	[ 'array of nothing with huge sizes', batch(column(25, 1, pack('q<2', 0, 0) . pack('Q<l<4', 3, 2, 2147483647, 0, 0) . column(3, 0, ''))), 'int[]', ('00000') x 3 ],
	[ '2^62 rows without fields', batch(column(25, 1, pack('q<2', 0, 2**62) . pack('Q<', 0) . column(26, 2**62, pack('Q<', 0)))), 'nothing[]', ('08P01') x 3 ],
	[ '2^62 rows without fields in a NULL', batch(column(25, 1, "\1" . "\0" x 7 . pack('q<2', 0, 2**62) . pack('Q<', 0) . column(26, 2**62, pack('Q<', 0)), flags => 1)), 'nothing[]', ('08P01') x 3 ],
	[ '2^62 NULLs', batch(column(0, 2**62, '')), 'int', ('08P01') x 3 ],
	[ 'arrays 10^5 deep', pack('VV', 1, 0) . column(25, 1, pack('q<2Q<', 0, 1, 0)) x 100000, 'int[]', ('08P01') x 3 ],
	[ 'records 10^5 deep', pack('VV', 1, 0) . column(26, 1, pack('Q<', 1)) x 100000, 'point2', ('08P01') x 3 ],
);
for my $i (0 .. 2)
{
	my $encoding = ('UTF8', 'SQL_ASCII', 'LATIN1')[$i];
	my $script = "SELECT pg_backend_pid();\n";
	for my $case (@chosen)
	{
		my ($name, $batch, $type) = @$case;
		$script .= "SELECT state_of(\$q\$SELECT count(v::text) FROM (SELECT hxpy_test_decode('\\x"
		  . hex_of($batch) . "', NULL::$type) AS v) s\$q\$);\n";
	}
	my ($before, @states) = rows($database{$encoding}, $script . "SELECT pg_backend_pid();\n");
	is(pop @states, $before, "$encoding: the backend lives");
	is($states[$_], $chosen[$_][ 3 + $i ], "$encoding: $chosen[$_][0]") for 0 .. $#chosen;
}

# ---- 41 MB of empty columns take no memory --------------------------------------

$node->safe_psql('utf8', q{
	CREATE FUNCTION peak() RETURNS int LANGUAGE sql AS $$
	  SELECT substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s+(\d+) kB')::int / 1024 $$;
	-- 1600 records of 1600 columns each
	CREATE TABLE heads (batch bytea);
	ALTER TABLE heads ALTER batch SET STORAGE external;
	INSERT INTO heads SELECT decode('0100000000000000' || record || repeat(record || repeat(int4, 1600), 1600), 'hex')
	  FROM (VALUES (rpad('1a', 32, '0') || rpad('4006', 16, '0'), rpad('02', 32, '0'))) AS v(record, int4)});
my ($grown, $detail) = rows('utf8', "LOAD '$build/hxpy_test.so';" . q{
	CREATE FUNCTION attempt(OUT grown int, OUT detail text) LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM peak();
		grown := peak();
		PERFORM hxpy_test_decode(batch, NULL::int) FROM heads;
	EXCEPTION WHEN protocol_violation THEN
		GET STACKED DIAGNOSTICS detail = pg_exception_detail;
		grown := peak() - grown;
	END $$;
	SELECT unnest(ARRAY[grown::text, detail]) FROM attempt()});
is($detail, 'wrong number of fields', 'a batch of more columns than wanted is refused');
cmp_ok($grown, '<', 200, "... at a cost of $grown MB with the batch itself");

# ---- one value of millions of elements --------------------------------------

my $load = "LOAD '$build/hxpy_test.so'; ";
my $start = time;
$node->safe_psql('utf8', $load . q{CREATE TABLE many AS SELECT array_fill('pg_class'::regtype, ARRAY[2000000]) AS v;
	CREATE TABLE batches AS SELECT hxpy_test_encode(v) AS batch FROM many});
my $whole = time - $start;
for my $query ('SELECT length(hxpy_test_encode(v)) FROM many',
	'SELECT cardinality(v) FROM batches, hxpy_test_decode(batch, NULL::regtype[]) AS v')
{
	$start = time;
	$node->psql('utf8', "$load SET statement_timeout = '100ms'; $query", stderr => \my $err);
	my $took = time - $start;
	like($err, qr/canceling statement due to statement timeout/, "$query: canceled");
	cmp_ok($took, '<', $whole / 2, sprintf '... in %.1f s, without a cancel more than %.1f s', $took, $whole);
}

$node->stop;
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|FATAL|TRAP:/,
	'no backend has died');
done_testing();
