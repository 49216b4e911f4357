-- From scikit-learn's breast-cancer data to scores in a table.
-- A session is a Python process of its own, in a container of its own.
SELECT py_open('ml');

-- Real input: 569 tumours with 30 measurements each. A DataFrame becomes a table.
SELECT py_exec('ml', $$
from sklearn.datasets import load_breast_cancer
data = load_breast_cancer(as_frame=True)
frame = data.frame.rename(columns=lambda name: name.replace(' ', '_'))
features = [name for name in frame if name != 'target']
frame.insert(0, 'benign', frame.pop('target') == 1)
frame.insert(0, 'id', range(1, len(frame) + 1))
print(f'{len(frame)} rows, {len(features)} measurements')
$$);
SELECT py_eval_into('ml', 'frame', 'tumour', if_exists => 'replace') AS rows;

-- Every fourth row is kept for the test.
ALTER TABLE tumour ADD PRIMARY KEY (id), ADD score float8,
  ADD part text GENERATED ALWAYS AS (CASE id % 4 WHEN 0 THEN 'test' ELSE 'train' END) STORED;
SELECT part, count(*), count(*) FILTER (WHERE benign) AS benign
  FROM tumour GROUP BY part ORDER BY part;

-- A query becomes a Grid, and that a DataFrame; the model stays in the session.
SELECT py_define_grid('ml', 'train', $$SELECT * FROM tumour WHERE part = 'train' ORDER BY id$$);
SELECT py_exec('ml', $$
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
train = train.to_dataframe()
model = make_pipeline(StandardScaler(), LogisticRegression(random_state=0))
model.fit(train[features], train['benign'])

def score(batch):
    return {'id': batch['id'], 'score': model.predict_proba(batch[features])[:, 1]}
$$);
SELECT round(py_eval('ml', $$model.score(train[features], train['benign'])$$, 0.0), 3) AS accuracy;

-- A procedure scores a part of the table: batches go to Python, rows come back.
CREATE OR REPLACE PROCEDURE score_tumours(wanted text) LANGUAGE plpgsql AS $$
DECLARE
  query text := format('SELECT * FROM tumour WHERE part = %L', wanted);
BEGIN
  IF py_eval('ml', '"model" in globals()', NULL::boolean) IS NOT TRUE THEN
    RAISE 'session "ml" has no model';
  END IF;
  UPDATE tumour t SET score = s.score
    FROM py_apply('ml', 'score', query) AS s(id bigint, score float8)
   WHERE t.id = s.id;
END $$;
CALL score_tumours('test');
SELECT benign, count(*), round(avg(score)::numeric, 2) AS mean_score,
       round(avg(((score > 0.5) = benign)::int), 3) AS accuracy
  FROM tumour WHERE score IS NOT NULL GROUP BY benign ORDER BY benign;

-- An error of Python is an error of SQL, with its traceback; the session lives on.
SELECT py_exec('ml', $$
def ratio(part):
    return len(part) / len(rest)
$$);
SELECT py_eval('ml', 'ratio(train)');
SELECT py_eval('ml', 'len(train)') AS train_rows, py_close('ml') AS closed;
