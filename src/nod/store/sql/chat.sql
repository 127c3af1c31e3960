-- Conversations, messages, pictures, decisions, activity.

-- name: insert_conversation
INSERT INTO conversations ({conversations}) VALUES ({values_of_conversations})

-- name: conversation
SELECT {conversations} FROM conversations WHERE id = :conversation_id

-- name: default_conversation
-- The one that was made with the agent.
SELECT {conversations} FROM conversations WHERE agent_id = :agent_id
ORDER BY created_at, id
LIMIT 1

-- name: conversations_of_owner
SELECT {c.conversations} FROM conversations c JOIN agents a ON a.id = c.agent_id
WHERE a.owner_id = :owner_id AND a.deleted_at IS NULL
ORDER BY c.created_at, c.id

-- name: insert_message
INSERT INTO messages ({new_messages}) VALUES ({values_of_messages})
RETURNING seq

-- name: put_bubble
-- A run has one bubble. What comes later takes the place of what stood there, except nothing.
INSERT INTO messages ({new_messages}) VALUES ({values_of_messages})
ON CONFLICT (run_id) WHERE kind = 'task' DO UPDATE SET
  text = CASE WHEN excluded.text = '' THEN messages.text ELSE excluded.text END,
  title = coalesce(excluded.title, messages.title),
  description = coalesce(excluded.description, messages.description),
  image_id = coalesce(excluded.image_id, messages.image_id),
  updated_at = excluded.updated_at
RETURNING {messages}

-- name: message
SELECT {messages} FROM messages WHERE id = :message_id

-- name: messages_of_conversation
-- Newest first. What an agent wrote during a run is shown in the run's bubble, not beside it.
SELECT {messages} FROM messages
WHERE conversation_id = :conversation_id AND seq < :before
  AND NOT (kind = 'text' AND run_id IS NOT NULL)
ORDER BY seq DESC
LIMIT :limit

-- name: answered_at
-- When the agent next said something of its own. What comes after so many others is no answer.
SELECT created_at FROM (
  SELECT author, kind, run_id, created_at FROM messages
  WHERE conversation_id = :conversation_id AND seq > :seq
  ORDER BY seq
  LIMIT 50
) AS followed
WHERE author = 'agent' AND kind IN ('text', 'report', 'decision') AND run_id IS NULL
LIMIT 1

-- name: messages_after
-- The same the other way: oldest first.
SELECT {messages} FROM messages
WHERE conversation_id = :conversation_id AND seq > :after
  AND NOT (kind = 'text' AND run_id IS NOT NULL)
ORDER BY seq
LIMIT :limit

-- name: texts_of_run
SELECT text FROM messages
WHERE run_id = :run_id AND kind = 'text' AND author = 'agent' AND text <> ''
ORDER BY seq

-- name: insert_image
INSERT INTO images ({images}) VALUES ({values_of_images})

-- name: image
SELECT {images} FROM images WHERE id = :image_id

-- name: pictures_of_message
-- Without their bytes.
SELECT id, width, height FROM images WHERE message_id = :message_id ORDER BY position, id

-- name: attach_image
-- A picture that is in another message already stays there.
UPDATE images SET message_id = :message_id, position = :position
WHERE id = :image_id AND message_id IS NULL

-- name: sweep_images
DELETE FROM images WHERE id IN (
  SELECT id FROM images WHERE message_id IS NULL AND created_at <= :before
  ORDER BY created_at LIMIT :limit)

-- name: insert_decision
INSERT INTO decisions ({decisions}) VALUES ({values_of_decisions})

-- name: decision
SELECT {decisions} FROM decisions WHERE id = :decision_id

-- name: open_decisions
SELECT {decisions} FROM decisions
WHERE run_id = :run_id AND status = 'pending'
ORDER BY created_at, id

-- name: waiting_decisions
-- The ones that expire first come first.
SELECT {decisions} FROM decisions
WHERE agent_id = :agent_id AND status = 'pending'
ORDER BY expires_at, id

-- name: count_open_decisions
SELECT count(*), min(expires_at) FROM decisions
WHERE agent_id = :agent_id AND status = 'pending'

-- name: decisions_of_owner
-- Newest first; an id begins with the time it was made. So many of each agent and then of all: what
-- other people were asked is not walked.
SELECT {d.decisions} FROM agents a JOIN decisions d ON d.id IN (
  SELECT n.id FROM decisions n
  WHERE n.agent_id = a.id AND n.id < :before
    AND (CAST(:status AS TEXT) IS NULL OR n.status = :status)
  ORDER BY n.id DESC LIMIT :limit)
WHERE a.owner_id = :owner_id AND a.deleted_at IS NULL
ORDER BY d.id DESC
LIMIT :limit

-- name: resolve_decision
UPDATE decisions SET status = :status, note = :note, always_allow = :always_allow,
  always_allow_pattern = :always_allow_pattern, resolved_by = :resolved_by,
  resolved_at = :resolved_at, task_id = :task_id, warn_at = NULL,
  held_answer = NULL, held_by = NULL, held_until = NULL
WHERE id = :id AND status = 'pending'

-- name: hold_answer
UPDATE decisions SET held_answer = :held_answer, held_by = :held_by, held_until = :held_until
WHERE id = :id AND status = 'pending' AND held_until IS NULL

-- name: drop_answer
UPDATE decisions SET held_answer = NULL, held_by = NULL, held_until = NULL
WHERE id = :decision_id AND status = 'pending' AND held_until IS NOT NULL

-- name: held_due
SELECT {decisions} FROM decisions
WHERE status = 'pending' AND held_until IS NOT NULL AND held_until <= :now
ORDER BY held_until
LIMIT :limit

-- name: set_warning
UPDATE decisions SET warn_at = :warn_at WHERE id = :decision_id AND status = 'pending'

-- name: decisions_due
-- Those that expire now, and those whose person is to be warned; none whose answer is held. Two
-- queries, so that each uses its index.
SELECT {decisions} FROM decisions
WHERE status = 'pending' AND held_until IS NULL AND expires_at <= :now
UNION
SELECT {decisions} FROM decisions
WHERE status = 'pending' AND held_until IS NULL AND warn_at IS NOT NULL AND warn_at <= :now
ORDER BY expires_at
LIMIT :limit

-- name: next_decision_at
SELECT min(at) FROM (
  SELECT min(expires_at) AS at FROM decisions WHERE status = 'pending' AND held_until IS NULL
  UNION ALL
  SELECT min(warn_at) AS at FROM decisions
  WHERE status = 'pending' AND held_until IS NULL AND warn_at IS NOT NULL
  UNION ALL
  SELECT min(held_until) AS at FROM decisions
  WHERE status = 'pending' AND held_until IS NOT NULL
) AS times

-- name: insert_activity
INSERT INTO activity ({new_activity}) VALUES ({values_of_activity})

-- name: activity_of_agent
-- Newest first; where :kinds are given, those between its spaces.
SELECT {activity} FROM activity
WHERE agent_id = :agent_id AND (created_at, seq) < (:at, :seq)
  AND (CAST(:task_id AS TEXT) IS NULL OR task_id = :task_id)
  AND (CAST(:kinds AS TEXT) IS NULL OR :kinds LIKE '% ' || kind || ' %')
ORDER BY created_at DESC, seq DESC
LIMIT :limit

-- name: answered_of_agent
-- What a person has answered, and what was closed because its object was gone; newest first. The
-- answers of rules and of time are lines of activity.
SELECT {decisions} FROM decisions
WHERE agent_id = :agent_id AND resolved_at IS NOT NULL AND (resolved_at, id) < (:at, :id)
  AND status <> 'expired' AND coalesce(resolved_by, '') <> 'rule'
  AND (CAST(:task_id AS TEXT) IS NULL OR task_id = :task_id)
ORDER BY resolved_at DESC, id DESC
LIMIT :limit

-- name: sweep_activity
DELETE FROM activity WHERE seq IN (
  SELECT seq FROM activity WHERE created_at <= :before ORDER BY seq LIMIT :limit)

-- name: count_waiting
-- How many questions wait for the person; an answer that is held counts as given.
SELECT count(*) FROM agents a JOIN decisions d ON d.agent_id = a.id
WHERE a.owner_id = :owner_id AND a.deleted_at IS NULL
  AND d.status = 'pending' AND d.held_until IS NULL

-- name: count_all_waiting
-- The same for all people.
SELECT count(*) FROM decisions WHERE status = 'pending' AND held_until IS NULL

-- name: unread
-- At most so many as are counted, so that a long absence costs no more than a short one.
SELECT count(*) FROM (
  SELECT 1 FROM messages
  WHERE conversation_id = :conversation_id AND seq > :read_seq AND author <> 'user'
    AND NOT (kind = 'text' AND run_id IS NOT NULL)
  LIMIT :most) AS counted

-- name: mark_read
UPDATE conversations SET read_seq = :seq WHERE id = :conversation_id AND read_seq < :seq
