-- The words of conversations, for the search, as 0002_app.sqlite.sql has them. Each message has the
-- list of its words, small and without accents; among them, marked so that they are no words, its
-- agent and the first one and two letters of each word: what has only begun is many words, and all
-- of them would have to be gone through.

-- Small letters and what a letter is must not depend on how the database was made. The first one
-- that this server has; with the last of them accents and case count outside of English.
DO '
DECLARE
  best text;
BEGIN
  SELECT c.collname INTO best
  FROM unnest(ARRAY[''pg_unicode_fast'', ''pg_c_utf8'', ''und-x-icu'', ''C.utf8'', ''C''])
    WITH ORDINALITY AS wanted (name, place)
  JOIN pg_collation c ON c.collname = wanted.name AND c.collnamespace = ''pg_catalog''::regnamespace
    AND c.collencoding IN (-1, pg_char_to_encoding(getdatabaseencoding()))
  ORDER BY wanted.place
  LIMIT 1;
  EXECUTE format(''CREATE COLLATION search_letters FROM pg_catalog.%I'', best);
END';

CREATE FUNCTION search_words(given text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT array_remove(
    regexp_split_to_array(
      translate(
        lower(regexp_replace(normalize(given, NFD), '[\u0300-\u036f]', '', 'g')
          COLLATE search_letters),
        'ς', 'σ'),
      '[^[:alnum:]]+'),
    '')
$$;

-- A list of words holds less than a megabyte, each of them less than two kilobytes.
CREATE FUNCTION search_list(agent text, given text) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  WITH words AS (
    SELECT left(word, 400) AS word, min(place) AS place
    FROM unnest(search_words(given)) WITH ORDINALITY AS found (word, place)
    GROUP BY 1
  ), marked AS (
    SELECT '@' || agent AS entry, 0 AS place
    UNION ALL SELECT word, place FROM words
    UNION ALL SELECT '_' || left(word, 1), min(place) FROM words GROUP BY 1
    UNION ALL SELECT '_' || left(word, 2), min(place) FROM words GROUP BY 1
  ), counted AS (
    SELECT entry, sum(octet_length(entry)) OVER (ORDER BY place, entry) AS bytes FROM marked
  )
  SELECT array_to_tsvector(array_agg(entry)) FROM counted WHERE bytes < 1000000
$$;

-- All the words, the last one as the beginning of a word, of these agents; both lists are words with
-- a space between. Without a word it finds nothing. By its cost the server never keeps one plan for
-- all words, which would ask it anew for each message: with the words known it asks it once.
CREATE FUNCTION search_query(agents text, words text) RETURNS tsquery
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 1000000 AS $$
  SELECT CAST(
    '(''@' || replace(agents, ' ', ''' | ''@') || ''') & ' || string_agg(
      CASE
        WHEN place < count THEN '''' || left(word, 400) || ''''
        WHEN length(word) < 3 THEN '''_' || word || ''''
        ELSE '''' || left(word, 400) || ''':*'
      END, ' & ' ORDER BY place) AS tsquery)
  FROM (
    SELECT word, place, count(*) OVER ()
    FROM unnest(search_words(words)) WITH ORDINALITY AS found (word, place)
  ) AS asked
$$;

CREATE VIEW searchable AS
SELECT m.seq, m.kind, m.run_id, search_list(
  substr(m.agent_id, 5), concat_ws(' ', m.text, m.title, m.description, o.text)) AS words
FROM messages m LEFT JOIN run_outputs o ON o.run_id = m.run_id AND m.kind = 'task'
WHERE NOT (m.kind = 'text' AND m.run_id IS NOT NULL);

CREATE TABLE message_search (
  seq BIGINT PRIMARY KEY REFERENCES messages (seq) ON DELETE CASCADE,
  words tsvector NOT NULL
);
INSERT INTO message_search (seq, words) SELECT seq, words FROM searchable;
CREATE INDEX message_search_words ON message_search USING gin (words);

CREATE FUNCTION search_message() RETURNS trigger LANGUAGE plpgsql AS '
BEGIN
  INSERT INTO message_search (seq, words) SELECT seq, words FROM searchable WHERE seq = new.seq
  ON CONFLICT (seq) DO UPDATE SET words = excluded.words;
  RETURN NULL;
END';
CREATE TRIGGER search_message AFTER INSERT OR UPDATE OF text, title, description ON messages
FOR EACH ROW EXECUTE FUNCTION search_message();

-- An output comes before or after its bubble, and goes before it.
CREATE FUNCTION search_output() RETURNS trigger LANGUAGE plpgsql AS '
BEGIN
  UPDATE message_search SET words = found.words FROM searchable found
  WHERE found.kind = ''task'' AND found.run_id = coalesce(new.run_id, old.run_id)
    AND message_search.seq = found.seq;
  RETURN NULL;
END';
CREATE TRIGGER search_output AFTER INSERT OR UPDATE OF text OR DELETE ON run_outputs
FOR EACH ROW EXECUTE FUNCTION search_output();
