-- From scikit-learn's breast-cancer data to scores, as a role that is no superuser.
SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user;

-- Real input: 569 tumours with 30 measurements each. A DataFrame becomes a table.
DO LANGUAGE hxpy $$
import hxpy
from sklearn.datasets import load_breast_cancer
frame = load_breast_cancer(as_frame=True).frame.rename(columns=lambda name: name.replace(' ', '_'))
features = [name for name in frame if name != 'target']
frame.insert(0, 'benign', frame.pop('target') == 1)
frame.insert(0, 'id', range(1, len(frame) + 1))
count = hxpy.to_table(frame, 'tumour', if_exists='replace')
plpy.notice(f'{count} rows, {len(features)} measurements')
GD['features'] = features       # GD: the session's variables
$$;

-- Every fourth row is kept for the test.
ALTER TABLE tumour ADD PRIMARY KEY (id), ADD score float8, ADD part text;
UPDATE tumour SET part = CASE id % 4 WHEN 0 THEN 'test' ELSE 'train' END;
SELECT part, count(*), count(*) FILTER (WHERE benign) AS benign
  FROM tumour GROUP BY part ORDER BY part;

-- Training: a query becomes a DataFrame; the model stays in the session.
CREATE OR REPLACE FUNCTION train(part text) RETURNS float8 LANGUAGE hxpy AS $$
import hxpy
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
rows = hxpy.sql('SELECT * FROM tumour WHERE part = $1 ORDER BY id', part)
data, truth = rows[GD['features']].to_numpy(), rows['benign']
model = make_pipeline(StandardScaler(), LogisticRegression(random_state=0)).fit(data, truth)
GD['model'] = model
return model.score(data, truth)
$$;
SELECT round(train('train')::numeric, 3) AS accuracy;

-- Scoring in a plain query: a row is a dict.
CREATE OR REPLACE FUNCTION score(t tumour) RETURNS float8 LANGUAGE hxpy STABLE AS $$
return GD['model'].predict_proba([[t[name] for name in GD['features']]])[0, 1]
$$;
SELECT id, benign, round(score(t)::numeric, 3) AS score
  FROM tumour AS t WHERE part = 'test' AND id > 8 ORDER BY id LIMIT 4;

-- Scoring in a trigger: what is inserted has its score at once.
CREATE OR REPLACE FUNCTION score_new() RETURNS trigger LANGUAGE hxpy AS $$
row = TD['new']
row['score'] = GD['model'].predict_proba([[row[name] for name in GD['features']]])[0, 1]
return 'MODIFY'
$$;
CREATE TRIGGER score_new BEFORE INSERT ON tumour FOR EACH ROW EXECUTE FUNCTION score_new();
INSERT INTO tumour
  SELECT (jsonb_populate_record(t, '{"id": 1001, "part": "new"}')).* FROM tumour AS t WHERE id = 20
  RETURNING id, part, benign, round(score::numeric, 3) AS score;

-- Scoring in a procedure: all rows in one call, which runs SQL and writes tables itself.
CREATE OR REPLACE PROCEDURE score_tumours(wanted text) LANGUAGE hxpy AS $$
import hxpy
rows = hxpy.sql('SELECT * FROM tumour WHERE part = $1', wanted)
rows['score'] = GD['model'].predict_proba(rows[GD['features']].to_numpy())[:, 1]
hxpy.to_table(rows[['id', 'score']], 'pg_temp.scored', if_exists='replace')
hxpy.sql('UPDATE tumour AS t SET score = s.score FROM pg_temp.scored AS s WHERE t.id = s.id')
$$;
CALL score_tumours('test');
SELECT benign, count(*), round(avg(score)::numeric, 2) AS mean_score,
       round(avg(((score > 0.5) = benign)::int), 3) AS accuracy
  FROM tumour WHERE part = 'test' GROUP BY benign ORDER BY benign;

-- An error of Python is an error of SQL, with its traceback; the session lives on.
CREATE OR REPLACE FUNCTION ratio(part text) RETURNS float8 LANGUAGE hxpy AS $$
import hxpy
def share(rows):
    return len(rows) / len(rest)
return share(hxpy.sql('SELECT id FROM tumour WHERE part = $1', part))
$$;
SELECT ratio('test');

-- For exploring, py_eval and its like work in the same session.
SELECT py_eval('model.named_steps["logisticregression"].coef_.shape');
SELECT py_eval('len(features)') AS features, py_close() AS closed;
