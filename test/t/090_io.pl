# /io: files that SQL and Python share, and what code in a session tries with them.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $io = PostgreSQL::Test::Utils::tempdir() . '/io';
my $node = hxpy_cluster('io');
my $psql = hxpy_psql($node);
my $secret = 'never to be read from SQL';

# Change settings of the running server; backends have them at their next statement.
sub configure
{
	my @settings = @_;
	$node->append_conf('postgresql.conf', join("\n", @settings, ''));
	$node->reload;
	for my $setting (@settings)
	{
		my ($name, $value) = $setting =~ /^(\S+) = '?(.*?)'?$/;
		wait_until(sub { $psql->query("LOAD 'hxpy'; SHOW $name")->{out} eq $value }, 10) or die "$setting is not taken";
	}
}

# Run Python in the session "s" of a connection; it must succeed.
sub python
{
	my ($connection, $code) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $result = $connection->query("SELECT py_exec('s', \$python\$$code\$python\$)");
	is($result->{state}, '00000', "Python: " . ($code =~ /^\s*(.{0,60})/)[0]) or diag $result->{err};
}

# The second mount of a session's container, as the engine tells.
sub io_mount
{
	my ($session) = @_;
	my ($inspect) = @{ decode_json(docker_ok('inspect', containers($node, $session))) };
	my ($mount) = grep { $_->{Destination} eq '/io' } @{ $inspect->{Mounts} };
	return (scalar @{ $inspect->{Mounts} }, $mount);
}

# Files that are being written, or were not removed; the number of them.
sub temporary_files
{
	my @found = glob "$_[0]/.hxpy-*";
	return scalar @found;
}

# Count the descriptors of a backend that lead to files below the directory.
sub descriptors
{
	my ($connection) = @_;
	return scalar grep { (readlink($_) // '') =~ /^\Q$io\E/ } glob '/proc/' . $connection->pid . '/fd/*';
}

# ---- off

for my $call (q{py_io_list()}, q{py_io_read('a')}, q{py_io_write('a', '')}, q{py_io_remove('a')})
{
	fails($psql, "SELECT * FROM $call", '55000', qr/there is no directory for files\nHINT:.*hxpy\.io_directory/, "$call without a directory");
}
$psql->query(q{SELECT py_open('s')});
is((io_mount('s'))[0], 1, 'without a directory there is one mount');
gives($psql, q{SELECT py_eval('s', '__import__("os").path.exists("/io")')}, 'false', 'and no /io');
$psql->query('SELECT py_close_all()');
fails($psql, "SET hxpy.$_", '55P02', qr/cannot be changed now/, "SET hxpy.$_")
  for q{io_directory = '/tmp'}, q{io_mode = 'read-write'};

# ---- directories that are refused

mkdir "$io-parent", 0700;
mkdir "$io-parent/inner", 0700;
symlink "$io-parent", "$io-link";
mkdir "$io-open", 0700;
chmod 0770, "$io-open";
mkdir "$io-open/inner", 0700;
append_to_file("$io-file", 'x');
for (
	[ 'relative/path', 'F0000', qr/no absolute path/ ], [ "$io-nosuch", '58P01', qr/could not access directory.*HINT/s ],
	[ "$io-link", 'F0000', qr/is a symbolic link/ ], [ "$io-link/inner", 'F0000', qr/is a symbolic link/ ],
	[ "$io-file", 'F0000', qr/is not a directory/ ], [ "$io-open", 'F0000', qr/may be written by other users/ ],
	[ "$io-open/inner", 'F0000', qr/may be written by other users/ ], [ '/tmp', 'F0000', qr/belongs to another user/ ],
	[ '/', 'F0000', qr/belongs to another user/ ], [ $node->data_dir . '/base', 'F0000', qr/is within the data directory/ ])
{
	my ($directory, $state, $pattern) = @$_;
	configure("hxpy.io_directory = '$directory'");
	my $result = fails($psql, 'SELECT py_io_list()', $state, $pattern, "hxpy.io_directory = '$directory'");
	like($result->{err}, qr/HINT/, 'with a hint');
}
fails($psql, q{SELECT py_open('s')}, 'F0000', qr/within the data directory/, 'and no session opens with it');
ok(wait_until(sub { !socket_dirs($node) && !containers($node) }, 3), 'which leaves nothing');

# ---- read-only: SQL writes, Python reads

mkdir $io, 0700;
configure("hxpy.io_directory = '$io'");
my $database = $psql->query(q{SELECT oid FROM pg_database WHERE datname = current_database()})->{out};
my $files = "$io/$database";
gives($psql, 'SELECT count(*) FROM py_io_list()', '0', 'an empty directory');
is(sprintf('%o', (stat $files)[2] & 07777), '755', 'which the server has made');
gives($psql, q{SELECT py_io_write('hello.txt', 'Hello, Python')}, '13', 'py_io_write');
is(sprintf('%o', (stat "$files/hello.txt")[2] & 07777), '644', 'a file that its user may write');
gives($psql, q{SELECT py_eval(py_open('s'), 'open("/io/hello.txt").read()')}, '"Hello, Python"', 'Python reads it');
my ($count, $mount) = io_mount('s');
is($count, 2, 'two mounts');
is("$mount->{Type} $mount->{Source} $mount->{Propagation}", "bind $files rprivate", "of the database's directory");
ok(!$mount->{RW}, 'read-only');
for my $code (q{open("/io/new", "w")}, q{open("/io/hello.txt", "a")}, q{__import__("os").remove("/io/hello.txt")},
	q{__import__("os").chmod("/io", 0o777)}, q{__import__("os").rename("/io/hello.txt", "/io/h")})
{
	fails($psql, "SELECT py_eval('s', '$code')", '38000', qr/Read-only file system|Permission denied/, "read-only: $code");
}
gives($psql, q{SELECT py_eval('s', '__import__("os").umask(0o22)')}, '18', 'umask as usual');
gives($psql, q{SELECT py_io_write('hello.txt', repeat('x', 3000000)::bytea)}, '3000000', 'a file is replaced');
gives($psql, q{SELECT py_eval('s', '(lambda s: [len(s), s.strip("x")])(open("/io/hello.txt").read())')}, '[3000000, ""]', 'Python sees the new one');
gives($psql, q{SELECT md5(py_io_read('hello.txt')) = md5(repeat('x', 3000000))}, 't', 'and SQL, too');
gives($psql, q{SELECT py_io_write('empty', ''), py_io_read('empty') = ''}, '0|t', 'an empty file');
gives($psql, q{SELECT name, kind, size, now() - modified < '1 min' FROM py_io_list()}, "empty|file|0|t\nhello.txt|file|3000000|t", 'py_io_list');
gives($psql, q{SELECT py_io_remove('empty'), py_io_remove('empty')}, 't|f', 'py_io_remove');
gives($psql, q{SELECT py_io_write('großes Ü', 'x'), py_eval('s', '__import__("os").listdir("/io")') ? 'großes Ü'}, '1|t', 'a name that is not ASCII');
is($psql->query('BEGIN; SELECT py_io_remove($$großes Ü$$); ROLLBACK; SELECT count(*) FROM py_io_list()')->{out}, "t\n1", 'ROLLBACK does not bring it back');

# ---- read-write: hxPy's example

configure(q{hxpy.io_mode = 'read-write'});
gives($psql, q{SELECT count(*) FROM py_io_list()}, '1', 'the files are still there');
is(sprintf('%o', (stat $files)[2] & 07777), '777', 'its mode follows hxpy.io_mode');
fails($psql, q{SELECT py_exec('s', 'open("/io/new", "w")')}, '38000', qr/Read-only file system/, 'an open session keeps its mount');
$psql->query('SELECT py_close_all()');
gives($psql, q{SELECT py_open('s')}, 's', 'a new one');
($count, $mount) = io_mount('s');
ok($mount->{RW}, 'has it read-write');
python($psql, q{
with open("/io/example.txt", "w") as file:
    file.write("Hello from Python")
});
gives($psql, q{SELECT convert_from(py_io_read('example.txt'), 'UTF8')}, 'Hello from Python', "hxPy's example: Python writes, SQL reads");
gives($psql, q{SELECT py_io_write('other.txt', 'Hello from SQL'); SELECT py_eval('s', 'open("/io/other.txt").read()')}, "14\n\"Hello from SQL\"", 'the other way round');
is(sprintf('%o', (stat "$files/$_->[0]")[2] & 07777), '666', "mode of $_->[0]") for ['example.txt'], ['other.txt'];
python($psql, q{open("/io/other.txt", "a").write(", and Python")});
gives($psql, q{SELECT convert_from(py_io_read('other.txt'), 'UTF8')}, 'Hello from SQL, and Python', 'Python appends to a file of SQL');

my $alice = hxpy_psql($node, user => 'alice');
$alice->query(q{SELECT py_open('s')});
isnt($alice->query(q{SELECT py_eval('s', '__import__("os").getuid()')})->{out}, $psql->query(q{SELECT py_eval('s', '__import__("os").getuid()')})->{out}, 'another session is another user');
python($alice, q{open("/io/example.txt", "w").write("from another session")});
gives($psql, q{SELECT convert_from(py_io_read('example.txt'), 'UTF8')}, 'from another session', '... which may overwrite');
python($psql, q{
import os
os.makedirs("/io/sub/deep")
open("/io/sub/deep/file", "w").write("deep")
});
gives($alice, q{SELECT convert_from(py_io_read('sub/deep/file'), 'UTF8'), py_io_write('sub/deep/more', 'more')}, 'deep|4', 'directories of Python');
gives($psql, q{SELECT py_eval('s', 'open("/io/sub/deep/more").read()')}, '"more"', '... that SQL writes in');
gives($alice, q{SELECT name, kind, size FROM py_io_list('sub/deep')}, "file|file|4\nmore|file|4", '... and lists');
gives($alice, q{SELECT name, kind, size FROM py_io_list() WHERE kind = 'directory'}, 'sub|directory|', '... which have no size');
fails($alice, q{SELECT py_io_remove('sub/deep')}, '42809', qr/not empty/, 'a directory that is not empty');
python($alice, q{import os; os.remove("/io/sub/deep/file")});
gives($alice, q{SELECT py_io_remove('sub/deep/more'), py_io_remove('sub/deep'), py_io_remove('sub')}, 't|t|t', 'empty ones are removed');

my $nobody = hxpy_psql($node, user => 'nobody');
fails($nobody, "SELECT * FROM $_", '42501', qr/permission denied for function/, "$_ without EXECUTE")
  for q{py_io_list()}, q{py_io_read('example.txt')}, q{py_io_write('a', '')}, q{py_io_remove('a')};
fails($alice, q{SELECT py_io_read(NULL)}, '22004', qr/path must not be null/, 'no path');
fails($alice, q{SELECT py_io_write('a', NULL)}, '22004', qr/content must not be null/, 'no content');

# ---- a database of its own

$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('second', 'CREATE EXTENSION hxpy');
my $second = hxpy_psql($node, dbname => 'second');
gives($second, 'SELECT count(*) FROM py_io_list()', '0', 'another database has other files');
gives($second, q{SELECT py_eval(py_open('s'), '__import__("os").listdir("/io")')}, '[]', '... also in Python');
$second->query(q{SELECT py_io_write('own', 'own')});
gives($psql, q{SELECT count(*) FROM py_io_list() WHERE name = 'own'}, '0', '... of which the first sees none');
my ($oid) = $second->query(q{SELECT oid FROM pg_database WHERE datname = 'second'})->{out};
fails($psql, "SELECT py_io_read('../$oid/own')", '42501', qr/outside of the database's directory/, '... nor reads by ..');
$second->query('SELECT py_close_all()');
$second->end;
wait_until(sub { $psql->query('DROP DATABASE second')->{state} eq '00000' }, 10);
ok(-e "$io/$oid/own", 'DROP DATABASE leaves the directory');

# ---- attacks by path

append_to_file("$io/secret", $secret);
append_to_file("$io-secret", $secret);
for (
	[ '../secret', '42501' ], [ "$io/secret", '42501' ], [ '/etc/passwd', '42501' ], [ '..', '42501' ], [ './..', '42501' ],
	[ 'x/../../secret', '58P01' ], [ './../secret', '42501' ], [ '', '58P01' ], [ '.', '42809' ], [ 'nosuch', '58P01' ],
	[ 'nosuch/file', '58P01' ], [ 'example.txt/', '42809' ], [ 'example.txt/x', '42809' ], [ 'n' x 256, '42622' ],
	[ 'n/' x 3000, '42622' ], [ '/proc/self/environ', '42501' ])
{
	my ($path, $state) = @$_;
	fails($alice, "SELECT py_io_read('$path')", $state, qr/ERROR/, "read: '" . substr($path, 0, 30) . q{'});
	my $result = $alice->query("SELECT py_io_write('$path', 'x')");
	like($result->{state}, $path eq 'nosuch' ? qr/^00000$/ : qr/^(?:$state|42602)$/, '... write') or diag "$result->{state} $result->{err}";
	$result = $alice->query("SELECT py_io_remove('$path')");
	like($result->{state}, $path eq 'nosuch' ? qr/^00000$/ : qr/^(?:$state|42602|00000)$/, '... remove') or diag "$result->{state} $result->{err}";
	is($result->{out}, $path eq 'nosuch' ? 't' : 'f', '... removes nothing') if $result->{state} eq '00000';
}
fails($alice, q{SELECT py_io_list('..')}, '42501', qr/outside/, 'list: ..');
fails($alice, q{SELECT py_io_list('/')}, '42501', qr/outside/, 'list: /');
fails($alice, q{SELECT py_io_list('example.txt')}, '42809', qr/Not a directory/, 'list: a file');
fails($alice, q{SELECT py_io_read(E'example.txt\\000')}, '22021', qr/invalid byte sequence/, 'read: NUL');
gives($alice, q{SELECT convert_from(py_io_read('./example.txt'), 'UTF8'), convert_from(py_io_read('.//./example.txt'), 'UTF8')},
	'from another session|from another session', 'read: ./');
is(slurp_file("$io/secret"), $secret, 'the secret is as it was');

# ---- attacks by Python

python($psql, qq{
import os, socket, stat
os.symlink("/etc/passwd", "/io/passwd")
os.symlink("$io/secret", "/io/secret")
os.symlink("../secret", "/io/relative")
os.symlink("/etc", "/io/etc")
os.symlink("..", "/io/up")
os.symlink("example.txt", "/io/inside")
os.symlink("/proc/self/fd/0", "/io/magic")
os.symlink("loop", "/io/loop")
os.mkfifo("/io/fifo", 0o666)
socket.socket(socket.AF_UNIX).bind("/io/socket")
os.mkdir("/io/dir", 0o777)
os.mkdir("/io/closed", 0o700)
open("/io/closed/file", "w").write("x")
os.close(os.open("/io/private", os.O_CREAT | os.O_WRONLY, 0o600))
os.close(os.open(b"/io/odd\\xff\\x1b[31m", os.O_CREAT | os.O_WRONLY, 0o666))
try:
    os.mknod("/io/device", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    raise AssertionError("made a device")
except PermissionError:
    pass
for source in "/etc/passwd", "/run/hxpy", "/proc/self/environ", "/tmp":
    try:
        os.link(source, "/io/hard")
        raise AssertionError("linked " + source)
    except OSError:
        pass
open("/tmp/file", "w").write("x")
try:
    os.link("/tmp/file", "/io/hard")
    raise AssertionError("linked a file of /tmp")
except OSError:
    pass
os.link("/io/example.txt", "/io/hard")
assert not os.path.exists("/io/../secret")
});
fails($alice, "SELECT py_io_read('$_')", '42501', qr/symbolic link/, "read: $_")
  for qw(passwd secret relative inside magic loop etc etc/passwd up/secret up/);
fails($alice, "SELECT py_io_write('$_', 'x')", '42501', qr/symbolic link/, "write: $_") for qw(etc/passwd up/x up/secret loop/x);
fails($alice, "SELECT py_io_remove('$_')", '42501', qr/symbolic link/, "remove: $_") for qw(etc/passwd up/secret loop/x);
fails($alice, "SELECT py_io_list('$_')", '42501', qr/symbolic link/, "list: $_") for qw(etc up loop passwd);
for my $path (qw(fifo socket dir))
{
	my $result = fails($alice, "SELECT py_io_read('$path')", '42809', qr/not a regular file/, "read: $path");
	ok($result->{seconds} < patience(5), '... at once');
}
fails($alice, q{SELECT py_io_read('closed/file')}, '42501', qr/Permission denied.*os\.chmod/s, 'read: a closed directory');
fails($alice, q{SELECT py_io_read('private')}, '42501', qr/Permission denied.*os\.chmod/s, 'read: a private file');
gives($alice, q{SELECT convert_from(py_io_read('hard'), 'UTF8')}, 'from another session', 'read: a hard link within');
gives($alice, q{SELECT string_agg(name || ':' || kind, ' ') FROM py_io_list()},
	'closed:directory dir:directory etc:other example.txt:file fifo:other hard:file hello.txt:file inside:other loop:other magic:other '
	  . 'odd??[31m:file other.txt:file passwd:other private:file relative:other secret:other socket:other up:other', 'list: all of it');
gives($alice, q{SELECT py_io_write('passwd', 'replaced'), convert_from(py_io_read('passwd'), 'UTF8')}, '8|replaced', 'write: a link itself is replaced');
unlike(slurp_file('/etc/passwd'), qr/replaced/, '... and not what it names');
fails($alice, q{SELECT py_io_write('dir', 'x')}, '42809', qr/directory/, 'write: a directory');
gives($alice, q{SELECT py_io_remove('secret'), py_io_remove('up'), py_io_remove('fifo'), py_io_remove('socket'), py_io_remove('dir')}, 't|t|t|t|t', 'remove: links, a FIFO, a socket, a directory');
is(slurp_file("$io/secret"), $secret, 'the secret is as it was');
is(temporary_files($files), 0, 'no temporary file is left');

# a lease must not make SQL wait
python($psql, q{
import fcntl, os, signal
signal.signal(signal.SIGIO, signal.SIG_IGN)
lease = os.open("/io/leased", os.O_RDWR | os.O_CREAT, 0o666)
fcntl.fcntl(lease, fcntl.F_SETLEASE, fcntl.F_WRLCK)
});
my $result = fails($alice, q{SELECT py_io_read('leased')}, '55006', qr/is in use/, 'read: a file with a lease');
ok($result->{seconds} < patience(5), '... at once');
python($psql, q{os.close(lease)});

# sizes
open my $sparse, '>', "$files/sparse" or die;
truncate $sparse, 1 << 40 or die "truncate: $!";
close $sparse;
fails($alice, q{SELECT py_io_read('sparse')}, '53400', qr/larger than hxpy\.io_max_size.*HINT.*256 MB/s, 'read: a sparse file of 1 TB');
gives($psql, q{SELECT py_io_remove('sparse')}, 't', 'remove: the sparse file');
fails($alice, q{SET hxpy.io_max_size = '1GB'}, '42501', qr/permission denied/, 'the limit is for superusers');
$psql->query(q{SET hxpy.io_max_size = '1MB'});
python($psql, q{open("/io/size", "wb").truncate(1 << 20)});
gives($psql, q{SELECT length(py_io_read('size'))}, '1048576', 'read: as large as allowed');
python($psql, q{open("/io/size", "wb").truncate((1 << 20) + 1)});
fails($psql, q{SELECT py_io_read('size')}, '53400', qr/larger than/, 'read: one byte more');
gives($psql, q{SELECT py_io_write('size', repeat('x', 1048576)::bytea)}, '1048576', 'write: as large as allowed');
fails($psql, q{SELECT py_io_write('size', repeat('x', 1048577)::bytea)}, '53400', qr/larger than/, 'write: one byte more');
gives($psql, q{SELECT length(py_io_read('size'))}, '1048576', '... leaves the file');
$psql->query('RESET hxpy.io_max_size');

# ---- attacks by change

# A loop in Python while SQL runs: the session works until it is cancelled.
sub attack
{
	my ($code, $times, $check) = @_;
	unlink "$files/started";
	$psql->send("SELECT py_exec('s', \$python\$open('/io/started', 'w').close()$code\$python\$)");
	ok(wait_until(sub { -e "$files/started" }, 10), 'Python works');
	my %states;
	for my $n (1 .. $times)
	{
		my $result = $check->($n);
		$states{ $result->{state} }++;
	}
	$node->safe_psql('postgres', 'SELECT pg_cancel_backend(' . $psql->pid . ')');
	my $end = $psql->wait(30);
	is($end->{state}, '57014', '... all the time') or diag $end->{err};
	return \%states;
}

python($psql, q{
import os
os.mkdir("/io/d", 0o777)
open("/io/d/secret", "w").write("plain")
open("/io/plain", "w").write("plain")
});
my $swap = qq{
import os, time
if os.path.isdir("/io/swapped") and not os.path.islink("/io/swapped"):
    os.rename("/io/swapped", "/io/d")
for path in "/io/t", "/io/file", "/io/swapped":
    if os.path.lexists(path):
        os.remove(path)
while True:
    open("/io/d/secret", "w").write("plain")    # SQL removes it
    os.symlink("../secret", "/io/t")
    os.replace("/io/t", "/io/file")
    os.symlink("..", "/io/swapped")
    os.link("/io/plain", "/io/t")
    os.replace("/io/t", "/io/file")
    time.sleep(0.0003)
    os.remove("/io/swapped")
    os.rename("/io/d", "/io/swapped")
    time.sleep(0.0003)
    os.rename("/io/swapped", "/io/d")
};
my $races = hxpy_rounds(300);
my %content;
my $states = attack($swap, $races, sub {
	my ($n) = @_;
	my $read = ("convert_from(py_io_read('file'), 'UTF8')", "convert_from(py_io_read('swapped/secret'), 'UTF8')",
		"string_agg(name, ',') FROM py_io_list('swapped')")[ $n % 3 ];
	my $result = $alice->query("SELECT $read");
	$content{ $result->{out} }++ if $result->{state} eq '00000';
	return $result;
});
delete $content{''};    # a file between its making and its writing
like(join(' ', sort keys %content), qr/^plain secret$/, 'race of a file and a link: never anything from outside');
note "states: " . join ', ', map { "$_: $states->{$_}" } sort keys %$states;
ok(!grep({ !/^(?:00000|42501|58P01)$/ } keys %$states), 'nor another error') or diag explain $states;
ok($states->{'00000'} && $states->{42501}, 'and both were met') or diag explain $states;
$states = attack($swap, $races, sub {
	return $alice->query(q{SELECT py_io_remove('swapped/secret'), py_io_write('swapped/written', 'x')});
});
ok($states->{'00000'} && $states->{42501}, 'race while SQL writes and removes') or diag explain $states;
is(join(' ', map { s/.*\///r } sort glob "$io/*"), join(' ', sort($database, $oid, 'secret')), 'nothing outside has changed');
is(slurp_file("$io/secret"), $secret, 'nor the secret');

$states = attack(q{
import os
file = os.open("/io/changing", os.O_RDWR | os.O_CREAT, 0o666)
while True:
    os.ftruncate(file, 8000000)
    os.ftruncate(file, 100)
}, hxpy_rounds(100), sub { return $alice->query(q{SELECT length(py_io_read('changing')) >= 0}) });
is(join(',', grep { $_ ne '58P01' } keys %$states), '00000', 'a file that grows and shrinks is read') or diag explain $states;
$states = attack(q{
file = open("/io/growing", "wb", 0)
while True:
    if file.tell() > 60000000:
        file.seek(0)
        file.truncate()
    file.write(b"x" * 1000000)
}, 20, sub { return $alice->query(q{SELECT length(py_io_read('growing')) >= 0}) });
is(join(',', grep { $_ ne '58P01' } keys %$states), '00000', 'and so is one that grows') or diag explain $states;
python($psql, q{import os; os.remove("/io/growing"); os.remove("/io/changing")});

# many files go through temporary files of the server, not through its memory
python($psql, q{
os.mkdir("/io/many")
for i in range(20000):
    os.close(os.open(f"/io/many/{i:05}" + "x" * 200, os.O_CREAT | os.O_WRONLY, 0o666))
});
gives($alice, q{SET work_mem = '64kB'; SELECT count(*), min(name) = left(max(name), 0) || '00000' || repeat('x', 200), bool_and(ordered)
	FROM (SELECT name, name > lag(name, 1, '') OVER () AS ordered FROM py_io_list('many')) AS f}, '20000|t|t', 'a large directory');
$alice->query('RESET work_mem');
python($psql, q{import shutil; shutil.rmtree("/io/many")});

# ---- cancel and terminate leave no temporary file, errors no descriptor

my $partial = 0;
for my $end (qw(pg_cancel_backend pg_terminate_backend))
{
	for my $try (1 .. 5)
	{
		my $writer = hxpy_psql($node);
		$writer->query(q{CREATE TEMP TABLE big AS SELECT convert_to(repeat('x', 200000000), 'UTF8') AS content});
		$writer->send(q{SELECT py_io_write('big', content) FROM big});
		$partial++ if wait_until(sub { temporary_files($files) || $writer->is_done }, 20) && !$writer->is_done;
		$node->safe_psql('postgres', "SELECT $end(" . $writer->pid . ')');
		my $result = $writer->wait;
		like($result->{state}, qr/^(?:57014|57P01||00000)$/, "$end while it is written: '$result->{state}'");
		$writer->end;
		ok(wait_until(sub { !temporary_files($files) }, 5), '... leaves no temporary file');
	}
}
ok($partial > 0, "$partial of 10 were half-way");
$psql->query(q{SELECT py_io_remove('big')});
$psql->query(q{DO $$ BEGIN
	FOR i IN 1 .. 500 LOOP
		BEGIN PERFORM py_io_read('dlink'); EXCEPTION WHEN insufficient_privilege THEN NULL; END;
		BEGIN PERFORM py_io_read('d'); EXCEPTION WHEN wrong_object_type THEN NULL; END;
		BEGIN PERFORM py_io_write('d', 'x'); EXCEPTION WHEN wrong_object_type THEN NULL; END;
		BEGIN PERFORM py_io_list('plain'); EXCEPTION WHEN wrong_object_type THEN NULL; END;
		BEGIN PERFORM py_io_remove('dlink/x'); EXCEPTION WHEN insufficient_privilege THEN NULL; END;
	END LOOP; END $$});
is(descriptors($psql), 0, '2500 errors leave no descriptor');
gives($psql, q{SELECT py_io_write('last', 'x'), py_io_read('last')}, '1|\x78', 'and all works');

# ---- a file system whose times are wider than timestamptz

SKIP:
{
	my $other = "/dev/shm/hxpy-test-$$";
	skip 'no /dev/shm', 2 unless mkdir $other, 0700;
	configure("hxpy.io_directory = '$other'");
	$psql->query(q{SELECT py_io_write('late', 'x')});
	system_or_bail('/usr/bin/python3', '-c', 'import os, sys; os.utime(sys.argv[1], (2 ** 60, 2 ** 60))', "$other/$database/late");
	gives($psql, q{SELECT name, size, modified IS NULL FROM py_io_list()}, 'late|1|t', 'a time that is no timestamp');
	$psql->query(q{SELECT py_io_remove('late')});
	configure("hxpy.io_directory = '$io'");
	rmdir "$other/$database";
	ok(rmdir($other), 'nothing else was left there');
}

# ---- back to read-only, and off

$_->query('SELECT py_close_all()') for $psql, $alice;
configure(q{hxpy.io_mode = 'read-only'});
gives($psql, q{SELECT py_eval(py_open('s'), 'open("/io/last").read()')}, '"x"', 'read-only again');
ok(!(io_mount('s'))[1]{RW}, 'as the engine says');
is(sprintf('%o', (stat $files)[2] & 07777), '755', 'and the mode of the directory');
$psql->query('SELECT py_close_all()');
configure(q{hxpy.io_directory = ''});
gives($psql, q{SELECT py_eval(py_open('s'), '__import__("os").path.exists("/io")')}, 'false', 'off again');

# ---- containers of the pool

$node = hxpy_cluster('iopool', 'shared_preload_libraries = hxpy', 'hxpy.pool_size = 1', 'hxpy.pool_imports = \'\'');
$psql = hxpy_psql($node);
$io .= '-pool';
mkdir $io, 0700;
configure("hxpy.io_directory = '$io'", q{hxpy.io_mode = 'read-write'});
$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('second', 'CREATE EXTENSION hxpy');
$second = hxpy_psql($node, dbname => 'second');
$_->query('SELECT py_io_write(current_database(), $$x$$)') for $psql, $second;

# Open a session out of the pool; returns its database's files, and whether it may write.
sub pooled
{
	my ($connection) = @_;
	my $sql = q{SELECT py_eval('s', 'sorted(__import__("os").listdir("/io")), __import__("os").access("/io", 2)')};
	my $taken = q{SELECT coalesce(sum(taken), 0) FROM hxpy_stat_pool};
	for (1 .. 60)
	{
		my $before = $psql->query($taken)->{out};
		$connection->query(q{SELECT py_open('s')});
		my $after = $psql->query($taken)->{out};
		my $result = $connection->query($sql);
		$connection->query('SELECT py_close_all()');
		return $result->{out} if $after > $before;
		sleep 0.25;
	}
	return 'never out of the pool';
}
is(pooled($psql), '[["postgres"], true]', 'a session out of the pool has its files');
is(pooled($second), '[["second"], true]', 'and one of another database its own');
configure(q{hxpy.io_mode = 'read-only'});
is(pooled($psql), '[["postgres"], false]', 'hxpy.io_mode holds for the pool, too');
configure('hxpy.pool_size = 0');

hxpy_finish();
