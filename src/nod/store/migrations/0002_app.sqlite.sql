-- The words of conversations, for the search. A bubble is found by what its run brought as well; a
-- text that names a run has no bubble of its own. The agent stands in the index as a word, so that
-- among the messages of many people one's own are found at once. So do the first letters of each
-- word: what has only begun is many words, and all of them would have to be gone through.
CREATE VIEW searchable AS
SELECT m.seq, substr(m.agent_id, 5) AS agent, m.text, m.title, m.description, o.text AS output,
  m.kind, m.run_id
FROM messages m LEFT JOIN run_outputs o ON o.run_id = m.run_id AND m.kind = 'task'
WHERE NOT (m.kind = 'text' AND m.run_id IS NOT NULL);
CREATE VIRTUAL TABLE message_search USING fts5 (
  agent, text, title, description, output,
  content = 'searchable', content_rowid = 'seq', columnsize = 0, prefix = '1 2',
  tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO message_search (message_search) VALUES ('rebuild');

-- The index is told what stood there before it is told what stands there now: it keeps no texts.
CREATE TRIGGER search_message_new AFTER INSERT ON messages BEGIN
  INSERT INTO message_search (rowid, agent, text, title, description, output)
  SELECT seq, agent, text, title, description, output FROM searchable WHERE seq = new.seq;
END;
CREATE TRIGGER search_message_former BEFORE UPDATE OF text, title, description ON messages BEGIN
  INSERT INTO message_search (message_search, rowid, agent, text, title, description, output)
  SELECT 'delete', seq, agent, text, title, description, output FROM searchable
  WHERE seq = old.seq;
END;
CREATE TRIGGER search_message_changed AFTER UPDATE OF text, title, description ON messages BEGIN
  INSERT INTO message_search (rowid, agent, text, title, description, output)
  SELECT seq, agent, text, title, description, output FROM searchable WHERE seq = new.seq;
END;
CREATE TRIGGER search_message_gone BEFORE DELETE ON messages BEGIN
  INSERT INTO message_search (message_search, rowid, agent, text, title, description, output)
  SELECT 'delete', seq, agent, text, title, description, output FROM searchable
  WHERE seq = old.seq;
END;
-- An output comes before or after its bubble. Where it comes after, the bubble stood without it.
CREATE TRIGGER search_output_new AFTER INSERT ON run_outputs BEGIN
  INSERT INTO message_search (message_search, rowid, agent, text, title, description, output)
  SELECT 'delete', seq, agent, text, title, description, NULL FROM searchable
  WHERE kind = 'task' AND run_id = new.run_id;
  INSERT INTO message_search (rowid, agent, text, title, description, output)
  SELECT seq, agent, text, title, description, output FROM searchable
  WHERE kind = 'task' AND run_id = new.run_id;
END;
CREATE TRIGGER search_output_former BEFORE UPDATE OF text ON run_outputs BEGIN
  INSERT INTO message_search (message_search, rowid, agent, text, title, description, output)
  SELECT 'delete', seq, agent, text, title, description, output FROM searchable
  WHERE kind = 'task' AND run_id = old.run_id;
END;
CREATE TRIGGER search_output_changed AFTER UPDATE OF text ON run_outputs BEGIN
  INSERT INTO message_search (rowid, agent, text, title, description, output)
  SELECT seq, agent, text, title, description, output FROM searchable
  WHERE kind = 'task' AND run_id = new.run_id;
END;
CREATE TRIGGER search_output_going BEFORE DELETE ON run_outputs BEGIN
  INSERT INTO message_search (message_search, rowid, agent, text, title, description, output)
  SELECT 'delete', seq, agent, text, title, description, output FROM searchable
  WHERE kind = 'task' AND run_id = old.run_id;
END;
CREATE TRIGGER search_output_gone AFTER DELETE ON run_outputs BEGIN
  INSERT INTO message_search (rowid, agent, text, title, description, output)
  SELECT seq, agent, text, title, description, output FROM searchable
  WHERE kind = 'task' AND run_id = old.run_id;
END;
