-- Values have nothing to do with client_encoding: what py_eval_into, py_eval_grid and py_define carry is the
-- same under all encodings that a client may have, also for characters that they lack or do not map back and forth.
CREATE TYPE enc_mood AS ENUM ('〜¬', '€');
CREATE TYPE enc_pair AS (a text, b enc_mood);
CREATE DOMAIN enc_word AS varchar(300) CHECK (value <> '');
CREATE TABLE enc_given (block int, t text, v varchar(256), c char(256), j jsonb, js json, a text[], p enc_pair, d enc_word,
                        e enc_mood, n name, x xml, r hs_ref);
SELECT py_exec(py_open('e'), $$
def row(block):
    text = "".join(chr(c) for c in range(max(block * 256, 0xA0), block * 256 + 256) if not 0xD800 <= c < 0xE000) or "-"
    return dict(block=block, t=text, v=text, c=text.ljust(256), j={"k": text}, js=[text], a=[text, None, "〜"], p=dict(a=text, b="€"),
                d=text, e="〜¬", n="～￢", x="<a>" + "〜¬" + "</a>", r=None)
blocks = [*range(0x34), 0x4E, 0x9F, 0xAC, 0xD7, 0xD8, 0xE0, 0xFE, 0xFF, 0x1F6, 0x200]
given = [row(block) for block in blocks]
$$);
SELECT py_eval_into('e', 'given', 'enc_given', 'append');
-- what the table holds is what chr() makes
SELECT count(*) FROM enc_given, LATERAL (SELECT coalesce(string_agg(chr(c), '' ORDER BY c), '-') AS want
    FROM generate_series(greatest(block * 256, 160), block * 256 + 255) AS c WHERE c NOT BETWEEN 55296 AND 57343) AS w
    WHERE t = want AND v = want AND rtrim(c) = rtrim(want) AND j = jsonb_build_object('k', want) AND js ->> 0 = want AND a = ARRAY[want, NULL, '〜']
    AND p = (want, '€')::enc_pair AND d = want AND e = '〜¬' AND n = '～￢' AND x::text = '<a>〜¬</a>';
-- a trigger works in the client's encoding
CREATE TABLE enc_seen (t text, encoding text DEFAULT current_setting('client_encoding'));
CREATE FUNCTION enc_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.encoding := current_setting('client_encoding'); RETURN NEW; END $$;
CREATE TRIGGER enc_note BEFORE INSERT ON enc_seen FOR EACH ROW EXECUTE FUNCTION enc_note();
CREATE FUNCTION enc_try(encoding text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    differ int;
BEGIN
    PERFORM set_config('client_encoding', encoding, false);
    CREATE TABLE enc_got (LIKE enc_given);
    PERFORM py_eval_into('e', 'given', 'enc_got', 'append'), py_eval_into('e', 'given', 'enc_new'), py_eval_into('e', '[{"t": "〜"}]', 'enc_seen', 'append');
    SELECT count(*) INTO differ FROM (SELECT enc_got::text FROM enc_got EXCEPT ALL SELECT enc_given::text FROM enc_given) AS t;
    SELECT differ + count(*) INTO differ FROM enc_new FULL JOIN enc_given USING (block)
        WHERE (enc_new.t, enc_new.j, enc_new.a->>0) IS DISTINCT FROM (enc_given.t, enc_given.j, enc_given.a[1]);
    SELECT differ + count(*) INTO differ FROM (SELECT g::text FROM py_eval_grid('e', 'given', NULL::enc_given) AS g
        EXCEPT ALL SELECT enc_given::text FROM enc_given) AS t;
    PERFORM py_define('e', 'back', array_agg(enc_given ORDER BY block)) FROM enc_given;
    IF NOT py_eval('e', 'all(b["t"] == g["t"] and b["j"] == g["j"] and b["p"] == g["p"] for b, g in zip(back, given))', NULL::boolean) THEN
        differ := differ + 1;
    END IF;
    DROP TABLE enc_got, enc_new;
    PERFORM set_config('client_encoding', 'UTF8', false);
    RETURN CASE differ WHEN 0 THEN 'same' ELSE differ || ' differ' END;
EXCEPTION WHEN OTHERS THEN
    PERFORM set_config('client_encoding', 'UTF8', false);
    RETURN sqlerrm;
END $$;
SELECT encoding, enc_try(encoding) FROM (SELECT DISTINCT pg_encoding_to_char(contoencoding)::text COLLATE "C" AS encoding
    FROM pg_conversion WHERE conforencoding = pg_char_to_encoding('UTF8') AND condefault
    UNION VALUES ('UTF8'), ('SQL_ASCII') ORDER BY 1) AS t;
SELECT count(*), count(DISTINCT encoding), min(t), max(t) FROM enc_seen;
SELECT py_close('e');
DROP TABLE enc_given, enc_seen;
DROP FUNCTION enc_note, enc_try;
DROP DOMAIN enc_word;
DROP TYPE enc_pair, enc_mood;
