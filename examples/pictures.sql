-- Makes the pictures of docs/pictures.md, in the directory docs/pictures:
--
--     script/quickstart; script/psql -f examples/pictures.sql
--
-- Any role with EXECUTE on the functions can run it; the files are psql's.

\set QUIET on
\pset tuples_only on
\set png '\\g (tuples_only=on format=unaligned) |base64 -d >'

SET TimeZone = 'Europe/Berlin';
CREATE TEMPORARY TABLE reading AS
  SELECT '2026-01-05'::timestamptz + i * interval '15 min' AS ts,
         20 + 2.5 * sin((i / 96.0 - 0.4) * 2 * pi()) + 0.2 * sin(i / 3.0) AS temp,
         round((greatest(0, sin((i / 96.0 - 0.29) * 2 * pi())) * CASE WHEN i / 96 % 7 < 5 THEN 420 ELSE 40 END
                + 410)::numeric)::float8 AS co2
    FROM generate_series(0, 96 * 7 - 1) AS i;

SELECT py_open('pictures') \g /dev/null
SELECT py_define_grid('pictures', 'readings', 'SELECT ts, temp, co2 FROM reading ORDER BY ts') \g /dev/null
SELECT py_exec('pictures', $$
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
df = readings.to_dataframe().set_index('ts')
$$) \g /dev/null

-- lines over time
SELECT encode(py_plot('pictures', $$
  df.plot(subplots=True, grid=True, legend=False, xlabel='',
          title=['Temperature of room 101 (°C)', 'Its CO₂ (ppm)'])
$$, width => 7, height => 4, dpi => 80), 'base64')
:png docs/pictures/week.png

-- bars, with characters that matplotlib's own font lacks
SELECT encode(py_plot('pictures', $$
  pd.Series({'office': 2.1, 'Büro': 1.7, '会议室': 3.4, 'サーバー室': 0.6, '사무실': 1.2}).sort_values().plot.barh(
      title='ΔT to the set point (K), 120 m² each: ½ ± 0.1 °C', color='tab:orange')
$$, width => 6, height => 2.6, dpi => 80), 'base64')
:png docs/pictures/rooms.png

-- what a model says, beside how its errors are spread
SELECT py_exec('pictures', $$
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import cross_val_predict
x, y = load_diabetes(return_X_y=True)
said = cross_val_predict(RandomForestRegressor(50, random_state=0), x, y)
fig, (left, right) = plt.subplots(1, 2)
left.scatter(y, said, s=8, alpha=0.6)
left.plot([y.min(), y.max()], [y.min(), y.max()], color='black', linewidth=0.8)
left.set(xlabel='measured', ylabel='predicted', title=f'R² = {np.corrcoef(y, said)[0, 1] ** 2:.2f}')
right.hist(said - y, bins=24, color='tab:green')
right.set(xlabel='error', title='errors')
$$) \g /dev/null
SELECT encode(py_plot('pictures', 'fig', width => 7, height => 3, dpi => 80), 'base64')
:png docs/pictures/model.png

-- a heat map: hours of the day, days of the week
SELECT py_exec('pictures', $$
table = df.co2.groupby([df.index.dayofweek, df.index.hour]).mean().unstack()
fig, axes = plt.subplots()
mesh = axes.imshow(table, aspect='auto', cmap='YlOrRd')
axes.set(yticks=range(7), yticklabels=['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'], xlabel='hour', title='CO₂')
fig.colorbar(mesh, label='ppm')
$$) \g /dev/null
SELECT encode(py_plot('pictures', 'fig', width => 6, height => 2.6, dpi => 80), 'base64')
:png docs/pictures/heat.png

SELECT py_close('pictures') \g /dev/null
