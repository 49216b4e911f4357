-- A building in Project Haystack's terms: import, query by tag, find a fault, note it down.
SET TimeZone = 'America/New_York';
SELECT py_open();

-- A generator stands for the building: 104 points, 2025 in steps of 15 minutes, always the same.
SELECT py_exec($$
import numpy as np, pandas as pd
from hxpy import trio, zinc
from hxpy.haystack import Coord, Grid, Marker, Number, Ref, Uri
rng = np.random.default_rng(2025)
ts = pd.date_range('2025-01-01', '2026-01-01', freq='15min', tz='America/New_York', inclusive='left', unit='us')
hour = (ts.hour + ts.minute / 60).to_numpy()
season = -np.cos(2 * np.pi * (ts.dayofyear.to_numpy() - 20) / 365)
outside = 52 + 24 * season - 7 * np.cos(2 * np.pi * (hour - 3) / 24) + np.repeat(rng.normal(0, 4, 366), 96)[:len(ts)]
busy = (ts.dayofweek.to_numpy() < 5) & (hour >= 7) & (hour < 19)
records, histories = [], {'site': {}, 'ahu1': {}, 'ahu2': {}}

def entity(id, dis, *markers, **tags):
    ref = Ref(id, dis)
    records.append({'id': ref, 'dis': dis, **dict.fromkeys(markers, Marker()), **tags})
    return ref

def point(equip, name, markers, unit, history=None, values=None):
    id = entity(f'{equip.id()}.{name}', f'{equip.dis()} {name}', 'point', *markers.split(), kind='Number', unit=unit,
                equipRef=equip, siteRef=site, tz='New_York', **({} if history is None else {'his': Marker()}))
    if history is not None:
        histories[history][id] = values.round(1)

site = entity('site', 'Mill House', 'site', area=Number(48000, 'ft²'), tz='New_York', geoCoord=Coord(42.36, -71.06),
              uri=Uri('http://mill.example/'))
point(site, 'oat', 'outside air temp sensor', '°F', 'site', outside)
meter = entity('meter', 'Main Meter', 'equip', 'elec', 'meter', siteRef=site)
point(meter, 'kw', 'elec power sensor', 'kW', 'site',
      18 + 60 * busy + 1.1 * np.abs(outside - 62) * (0.3 + busy) + rng.normal(0, 2, len(ts)))
for a in (1, 2):
    ahu = entity(f'ahu{a}', f'AHU-{a}', 'equip', 'ahu', siteRef=site)
    point(ahu, 'dat', 'discharge air temp sensor', '°F')
    point(ahu, 'fan', 'fan speed cmd', '%')
    point(ahu, 'kw', 'elec power sensor', 'kW')
    for v in range(1, 13):
        vav = entity(f'vav{a}-{v}', f'VAV {a}-{v}', 'equip', 'vav', siteRef=site, ahuRef=ahu)
        load = busy * (1.5 + np.sin((hour - 7 + v / 4) * np.pi / 12)) + 0.02 * (outside - 60) + rng.normal(0, 0.3, len(ts))
        damper = np.clip(20 + 18 * load, 10, 100)
        if (a, v) == (2, 7):    # the fault: a damper that sticks, and a room that gets warm
            stuck = (ts >= '2025-07-14') & (ts < '2025-07-26')
            load, damper = np.where(stuck, load * 3 + 4, load), np.where(stuck, 10, damper)
        point(vav, 'temp', 'zone air temp sensor', '°F', f'ahu{a}', 70 + load)
        point(vav, 'damper', 'damper cmd', '%', f'ahu{a}', damper)
        point(vav, 'sp', 'zone air temp sp', '°F')
        point(vav, 'flow', 'discharge air flow sensor', 'cfm')

def his_grid(values):
    frame = pd.DataFrame({'ts': ts, **{f'v{i}': column for i, column in enumerate(values.values())}})
    frame.attrs = {'hisStart': ts[0].to_pydatetime(), 'cols': {f'v{i}': {'id': id} for i, id in enumerate(values)}}
    return Grid.from_dataframe(frame)
$$);

-- What another system would have sent: the model as Trio, the histories as Zinc.
CREATE TABLE document AS
SELECT 'model.trio' AS name, py_eval('default', 'trio.dumps(records)', NULL::text) AS body
UNION ALL
SELECT h || '.zinc', py_eval('default', format('zinc.dumps(his_grid(histories[%L]))', h), NULL::text)
  FROM unnest('{site,ahu1,ahu2}'::text[]) AS h;
SELECT split_part(body, E'\n---\n', 105) AS a_record FROM document WHERE name = 'model.trio';
SELECT line FROM document, string_to_table(body, E'\n') AS line WHERE name = 'site.zinc' LIMIT 4;

-- Entities: one row each, their tags as Hayson under a GIN index.
CREATE TABLE entity (id hs_ref PRIMARY KEY, dis text, tags jsonb NOT NULL);
INSERT INTO entity
SELECT hs_val(rec -> 'id'), rec ->> 'dis', rec - 'id' - 'dis'
  FROM document, hs_rows(hs_from_trio(body)) AS rec WHERE name = 'model.trio';
CREATE INDEX ON entity USING gin (tags);

-- Histories: the id of each column's point stands in the column's meta.
CREATE TABLE history (point hs_ref, ts timestamptz, val float8);
INSERT INTO history
SELECT id, ts, hs_num(val) FROM document, hs_his(hs_from_zinc(body)) WHERE name LIKE '%.zinc';
ALTER TABLE history ADD PRIMARY KEY (point, ts);
ANALYZE entity, history;
SELECT count(DISTINCT point) AS points, count(*) AS samples, min(ts), max(ts) FROM history;

-- Queries by tag: which points there are, and those of one air handler's rooms.
SELECT tags ->> 'unit' AS unit, count(*) AS points, count(*) FILTER (WHERE tags ? 'his') AS with_history
  FROM entity WHERE tags ? 'point' GROUP BY unit ORDER BY unit;
SELECT p.id, p.dis FROM entity AS p JOIN entity AS e ON e.id = hs_val(p.tags -> 'equipRef')
 WHERE p.tags ?& '{zone,air,temp,sensor}' AND hs_val(e.tags -> 'ahuRef') = 'ahu2' ORDER BY p.id LIMIT 3;

-- A DataFrame of histories: each room's day in numbers.
SELECT py_define_grid('default', 'days', $$
SELECT hs_val(tags -> 'equipRef') AS vav, ts::date AS day, avg(val) AS mean, max(val) AS max, stddev(val) AS spread
  FROM history JOIN entity ON id = point
 WHERE tags ?& '{zone,air,temp,sensor}' AND extract(isodow FROM ts) < 6 AND extract(hour FROM ts) BETWEEN 7 AND 18
 GROUP BY vav, day ORDER BY vav, day $$, '{"dis": "Rooms by day", "cols": {"mean": {"unit": "°F"}, "max": {"unit": "°F"}}}');
SELECT py_exec($$
from sklearn.ensemble import IsolationForest
df = days.to_dataframe()
print(len(df), 'days of rooms;', df.attrs['dis'], df.attrs['cols'])
values = df[['mean', 'max', 'spread']]
values = values - values.groupby(df['day']).transform('median')       # what the weather does to all rooms alike
df['score'] = -IsolationForest(random_state=0).fit(values).score_samples(values)
worst = df[df['score'] > 0.7]
print(worst.groupby('vav')['day'].agg(['min', 'max', 'count']).to_string())
sparks = [{'id': Ref(f'spark.{vav}', f'{vav} too warm'), 'dis': f'{vav} too warm', 'spark': Marker(), 'targetRef': Ref(vav),
           'date': group['day'].min(), 'dur': Number(len(group), 'day'),
           'max': Number(round(group['max'].max(), 1), '°F')}
          for vav, group in worst.groupby('vav')]
$$);

-- The finding comes back as Haystack rows, among the other entities.
INSERT INTO entity
SELECT hs_val(rec -> 'id'), rec ->> 'dis', rec - 'id' - 'dis' FROM py_eval_rows('default', 'sparks') AS rec;
SELECT id, key, value FROM entity, jsonb_each(tags) WHERE tags ? 'spark' ORDER BY key;
SELECT hs_to_zinc(jsonb_build_object('_kind', 'grid', 'rows', jsonb_agg(jsonb_build_object('id', hs_ref(id, dis)) || tags)))
    AS zinc FROM entity WHERE tags ? 'spark';
SELECT py_close_all();
