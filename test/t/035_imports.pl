# Interrupts that meet an import, in sessions where nothing is imported yet: the
# session lives on, and the same call succeeds afterwards.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use Test::More;

my $node = hxpy_cluster('imports');

# The import of numpy is waited for, which can take long on a loaded machine.
my $psql = hxpy_psql($node, setup => [q{SET hxpy.cancel_grace = '20s'}]);

my %first = (
	'py_define_grid' => [q{py_define_grid(%s, 'g', 'SELECT i, i / 2.0 AS h FROM generate_series(1, 10) i')}, 's'],
	'py_define of an array' => [q{py_define(%s, 'a', ARRAY[1.5, 2])}, 's'],
	'py_eval_grid' => [q{(SELECT sum(n) FROM py_eval_grid(%s, '[{"n": 1}, {"n": 2}]') AS t(n int))}, '3'],
	'a Grid to pandas' => [q{py_eval(%s, 'len(__import__("hxpy.haystack").haystack.Grid().to_dataframe())')}, '0'],
	'import numpy' => [q{py_eval(py_exec(%s, 'import numpy'), 'int(numpy.arange(3).sum())')}, '3'],
	'import pandas' => [q{py_eval(py_exec(%s, 'import pandas'), 'len(pandas.DataFrame({"a": [1, 1]}).groupby("a").sum())')}, '1'],
	'import scipy' => [q{py_eval(py_exec(%s, 'import scipy.stats'), 'float(scipy.stats.norm.cdf(0))')}, '0.5'],
	'import sklearn' => [q{py_eval(py_exec(%s, 'from sklearn.linear_model import LinearRegression as L'),
		'float(round(L().fit([[1], [2]], [1, 2]).predict([[3]])[0], 6))')}, '3.0']);

for my $name (sort keys %first)
{
	my ($call, $expected) = @{ $first{$name} };
	my ($broken, $done) = (0, 0);

	for my $round (1 .. hxpy_rounds(4))
	{
		my $timeout = 30 + int(rand(270));
		# In the same statement as py_open or right after it, when the session imports ahead.
		my $open = $round % 2 ? '' : q{SELECT py_open('s'); };
		my $cold = sprintf $call, $open ? q{'s'} : q{py_open('s')};
		my $again = sprintf $call, q{'s'};
		my $result = $psql->query("${open}SET hxpy.eval_timeout = '$timeout ms'; SELECT $cold");

		my $took = $result->{seconds};
		$result->{state} eq '57014' ? $broken++ : $done++;
		$result = $psql->query("SET hxpy.eval_timeout = '60s'; SELECT $again");
		last unless is($result->{out}, $expected, "$name after a timeout of $timeout ms") or diag $result->{err};
		note "first $took s, again $result->{seconds} s";
		$psql->query('SELECT py_close_all()');
	}
	note "$name: $broken broken off, $done done";
}

# ---- the user's own modules are broken off at once, and can be tried again

$psql->query(<<'SQL');
RESET hxpy.eval_timeout;
SELECT py_exec(py_open('u'), $py$
import builtins, os, sys
sys.path.append('/tmp')
os.mkdir('/tmp/slow')
with open('/tmp/slow/quick.py', 'w') as file:
    file.write('x = 1')
with open('/tmp/slow/__init__.py', 'w') as file:
    file.write("""
from . import quick
print('ready')
while builtins.loop is not None:
    builtins.loop()
""".replace('builtins', '__import__("builtins")'))
def left():
    return sorted(name for name in sys.modules if name.startswith('slow'))
$py$)
SQL
for my $case (['a loop', 'lambda: None'], ['a loop that prints', 'lambda: print("x" * 1000)'], ['a sleep', 'lambda: __import__("time").sleep(60)'])
{
	my ($name, $loop) = @$case;

	$psql->query("SELECT py_exec('u', 'builtins.loop = $loop')");
	$psql->send(q{SELECT py_exec('u', 'import slow')});
	$psql->wait_message(qr/ready/, 30);
	kill 'INT', $psql->pid;
	fails($psql, $psql->wait, '57014', qr/canceling statement due to user request.*keeps its variables/s, "$name in a module is broken off");
	gives($psql, q{SELECT py_eval('u', 'left()')}, '[]', '... and nothing of its package stays');
}
$psql->query(q{SELECT py_exec('u', 'builtins.loop = None')});
gives($psql, q{SELECT py_eval(py_exec('u', 'import slow'), 'slow.quick.x + len(left())')}, '3', 'it can be imported again');
$psql->query(q{SELECT py_exec('u', E'for name in left():\n    del sys.modules[name]\nbuiltins.loop = lambda: None')});
$psql->send(q{SELECT py_exec('u', E'try:\n    import slow\nexcept KeyboardInterrupt:\n    pass')});
$psql->wait_message(qr/ready/, 30);
kill 'INT', $psql->pid;
$psql->wait;
gives($psql, q{SELECT py_eval('u', 'left()')}, '[]', 'also when the code has caught the interrupt');

hxpy_finish();
