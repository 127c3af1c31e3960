-- What SQLite alone has.

-- name: data_version
-- Another number after each commit of another connection.
PRAGMA data_version
-- What SQLite alone understands.

-- name: search_messages
-- Messages that have all the words, the last of them as the beginning of a word, of these agents;
-- newest first. Both lists are words with a space between, and a word has neither space nor quote.
SELECT {m.messages} FROM message_search s JOIN messages m ON m.seq = s.rowid
WHERE message_search MATCH 'agent : ("' || replace(:agents, ' ', '" OR "') || '")'
  || ' AND {text title description output} : ("' || replace(:words, ' ', '" AND "') || '" *)'
  AND s.rowid < :before
ORDER BY s.rowid DESC
LIMIT :limit
