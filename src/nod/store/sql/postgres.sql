-- What PostgreSQL needs otherwise than SQLite: locks between writers, whole columns at once, bytes.
--
-- SQLite has one writer; here there are many, of one process and of several. A name with an
-- exclamation mark is how a unit that writes runs that statement: it keeps what it reads from the
-- other writers until its end, so that what it then decides and writes is still true. In every unit
-- the order is: task, its runs, its events and questions, agent, person. A task stands for its runs
-- too: who has read a run in order to change it has its task.
--
-- `seq` is counted before the commit. What is read by "seq above …" is therefore counted with the
-- agent's row in hand: of one agent a lower seq is never committed after a higher one.
--
-- A statement with `unnest` gets each value of all rows as one array: one trip for any number.

-- name: task!
SELECT {tasks} FROM tasks WHERE id = :task_id FOR NO KEY UPDATE

-- name: task_by_trigger!
SELECT {t.tasks} FROM tasks t JOIN agents a ON a.id = t.agent_id AND a.deleted_at IS NULL
WHERE t.trigger_id = :trigger_id AND t.deleted_at IS NULL
FOR NO KEY UPDATE OF t

-- name: tasks_of_agent!
SELECT {tasks} FROM tasks
WHERE agent_id = :agent_id AND deleted_at IS NULL
ORDER BY created_at, id
FOR NO KEY UPDATE

-- name: run!
-- First its task, and only then the run itself, as it is by then.
WITH task AS MATERIALIZED (
  SELECT id FROM tasks WHERE id = (SELECT task_id FROM runs WHERE id = :run_id) FOR NO KEY UPDATE
)
SELECT {r.runs} FROM (SELECT count(*) FROM task) AS kept, runs r WHERE r.id = :run_id
FOR NO KEY UPDATE OF r

-- name: decision!
WITH task AS MATERIALIZED (
  SELECT id FROM tasks WHERE id = (SELECT task_id FROM decisions WHERE id = :decision_id)
  FOR NO KEY UPDATE
)
SELECT {d.decisions} FROM (SELECT count(*) FROM task) AS kept, decisions d
WHERE d.id = :decision_id
FOR NO KEY UPDATE OF d

-- name: kept_agent!
SELECT {agents} FROM agents WHERE id = :agent_id AND deleted_at IS NULL FOR NO KEY UPDATE

-- name: kept_agents
SELECT {agents} FROM agents
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:agent_ids AS JSONB))))
  AND deleted_at IS NULL
ORDER BY id

-- name: kept_agents!
SELECT {agents} FROM agents
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:agent_ids AS JSONB))))
  AND deleted_at IS NULL
ORDER BY id
FOR NO KEY UPDATE

-- name: user!
SELECT {users} FROM users WHERE id = :user_id FOR NO KEY UPDATE

-- name: user_by_email!
SELECT {users} FROM users WHERE email = :email FOR NO KEY UPDATE

-- name: session_by_token!
SELECT {sessions} FROM sessions
WHERE token_hash = :token_hash
  OR (old_token_hash = :token_hash AND rotated_at > :rotated_after)
LIMIT 1
FOR NO KEY UPDATE

-- name: setup_link_ends!
SELECT expires_at FROM setup_links WHERE token_hash = :token_hash FOR UPDATE

-- name: target!
SELECT {notify_targets} FROM notify_targets WHERE id = :target_id FOR NO KEY UPDATE

-- name: target_at!
SELECT {notify_targets} FROM notify_targets
WHERE user_id = :user_id AND address_hash = :address_hash
FOR NO KEY UPDATE

-- What is due, in batches. Several nodes share the work: what one has in hand the others pass over,
-- and nobody waits for anybody.

-- name: due_tasks!
SELECT {tasks} FROM tasks
WHERE next_fire_at <= :now
ORDER BY next_fire_at
LIMIT :limit
FOR NO KEY UPDATE SKIP LOCKED

-- name: overdue_runs!
SELECT {r.runs} FROM runs r JOIN tasks t ON t.id = r.task_id
WHERE r.deadline_at <= :now AND r.status IN ('pending', 'running')
ORDER BY r.deadline_at
LIMIT :limit
FOR NO KEY UPDATE SKIP LOCKED

-- name: due_retries!
-- The event as well: another node may have given the retry its place a moment ago.
SELECT {t.tasks}, {r.runs} FROM events e
JOIN runs r ON r.id = e.run_id JOIN tasks t ON t.id = r.task_id
WHERE e.state = 'held' AND e.not_before > e.created_at AND e.not_before <= :now
ORDER BY e.not_before
LIMIT :limit
FOR NO KEY UPDATE OF t, r, e SKIP LOCKED

-- name: expired_events!
WITH due AS MATERIALIZED (
  SELECT id, run_id FROM events
  WHERE state IN ('held', 'pending') AND expires_at <= :now
  ORDER BY expires_at
  LIMIT :limit
), free AS MATERIALIZED (
  SELECT r.id FROM runs r JOIN tasks t ON t.id = r.task_id
  WHERE r.id IN (SELECT run_id FROM due)
  FOR NO KEY UPDATE SKIP LOCKED
)
SELECT {e.events} FROM due
JOIN events e ON e.id = due.id AND e.state IN ('held', 'pending') AND e.expires_at <= :now
WHERE due.run_id IS NULL OR due.run_id IN (SELECT id FROM free)
ORDER BY e.expires_at
FOR NO KEY UPDATE OF e SKIP LOCKED

-- name: held_due!
WITH due AS MATERIALIZED (
  SELECT id, task_id FROM decisions
  WHERE status = 'pending' AND held_until IS NOT NULL AND held_until <= :now
  ORDER BY held_until
  LIMIT :limit
), free AS MATERIALIZED (
  SELECT id FROM tasks WHERE id IN (SELECT task_id FROM due) FOR NO KEY UPDATE SKIP LOCKED
)
SELECT {d.decisions} FROM due
JOIN decisions d ON d.id = due.id AND d.status = 'pending' AND d.held_until <= :now
WHERE due.task_id IS NULL OR due.task_id IN (SELECT id FROM free)
ORDER BY d.held_until
FOR NO KEY UPDATE OF d SKIP LOCKED

-- name: decisions_due!
WITH due AS MATERIALIZED (
  SELECT id, task_id FROM decisions
  WHERE status = 'pending' AND held_until IS NULL AND expires_at <= :now
  UNION
  SELECT id, task_id FROM decisions
  WHERE status = 'pending' AND held_until IS NULL AND warn_at <= :now
  LIMIT :limit
), free AS MATERIALIZED (
  SELECT id FROM tasks WHERE id IN (SELECT task_id FROM due) FOR NO KEY UPDATE SKIP LOCKED
)
SELECT {d.decisions} FROM due
JOIN decisions d ON d.id = due.id AND d.status = 'pending' AND d.held_until IS NULL
  AND (d.expires_at <= :now OR d.warn_at <= :now)
WHERE due.task_id IS NULL OR due.task_id IN (SELECT id FROM free)
ORDER BY d.expires_at
FOR NO KEY UPDATE OF d SKIP LOCKED

-- name: due_mornings!
SELECT {u.users}, u.morning_next FROM users u
WHERE u.morning_next IS NOT NULL AND u.morning_next <= :now
ORDER BY u.morning_next
LIMIT :limit
FOR NO KEY UPDATE SKIP LOCKED

-- name: triggers_to_poll!
SELECT {e.events}, p.run_id, p.payload, p.inbound
FROM events e
JOIN runs r ON r.id = e.run_id
LEFT JOIN run_payloads p ON p.run_id = e.run_id
WHERE e.agent_id = :agent_id AND e.type = 'task_trigger' AND r.status = 'pending'
  AND e.state IN ('held', 'pending', 'polled')
  AND ((e.state = 'pending'
      AND (e.expires_at IS NULL OR e.expires_at > :now))
    OR (e.state = 'polled' AND e.settled_at <= :polled_before))
ORDER BY e.seq
LIMIT :limit
FOR NO KEY UPDATE OF e, r SKIP LOCKED

-- Rows with a seq.

-- name: insert_events
-- The agents' rows come first, in one order everywhere. They say as well whether there is a webhook
-- that works, as it is by then.
WITH given AS MATERIALIZED (
  SELECT id, agent_id, run_id, type, body, state, created_at, not_before, expires_at, place
  FROM unnest(
    CAST(:id AS TEXT[]), CAST(:agent_id AS TEXT[]), CAST(:run_id AS TEXT[]),
    CAST(:type AS TEXT[]), CAST(:body AS TEXT[]), CAST(:state AS TEXT[]),
    CAST(:created_at AS BIGINT[]), CAST(:not_before AS BIGINT[]), CAST(:expires_at AS BIGINT[])
  ) WITH ORDINALITY AS rows (
    id, agent_id, run_id, type, body, state, created_at, not_before, expires_at, place)
), agent AS MATERIALIZED (
  SELECT id, webhook_url IS NOT NULL AND webhook_disabled IS NULL AS has_webhook
  FROM agents WHERE id IN (SELECT agent_id FROM given)
  ORDER BY id FOR NO KEY UPDATE
)
INSERT INTO events (
  id, agent_id, run_id, type, body, state, created_at, not_before, attempt_at, expires_at,
  attempts, retry_reason, channel, settled_at, error
)
SELECT e.id, e.agent_id, e.run_id, e.type, e.body, e.state, e.created_at, e.not_before,
  CASE WHEN agent.has_webhook THEN e.not_before END, e.expires_at, 0, 'first_attempt',
  NULL, NULL, NULL
FROM (SELECT count(*) FROM agent) AS kept, given e LEFT JOIN agent ON agent.id = e.agent_id
ORDER BY e.place

-- name: insert_message
WITH agent AS MATERIALIZED (
  SELECT id FROM agents WHERE id = :agent_id FOR NO KEY UPDATE
)
INSERT INTO messages ({new_messages})
SELECT {values_of_messages} FROM (SELECT count(*) FROM agent) AS kept
RETURNING seq

-- name: put_bubble
WITH agent AS MATERIALIZED (
  SELECT id FROM agents WHERE id = :agent_id FOR NO KEY UPDATE
)
INSERT INTO messages ({new_messages})
SELECT {values_of_messages} FROM (SELECT count(*) FROM agent) AS kept
ON CONFLICT (run_id) WHERE kind = 'task' DO UPDATE SET
  text = CASE WHEN excluded.text = '' THEN messages.text ELSE excluded.text END,
  title = coalesce(excluded.title, messages.title),
  description = coalesce(excluded.description, messages.description),
  image_id = coalesce(excluded.image_id, messages.image_id),
  updated_at = excluded.updated_at
RETURNING {messages}

-- name: insert_sends
-- A target that is removed at the same moment gets nothing; without the lock this would fail.
INSERT INTO notice_sends (target_id, notice_id, due_at, attempts)
SELECT id, :notice_id, :due_at, 0 FROM (
  SELECT id FROM notify_targets WHERE user_id = :user_id AND enabled FOR KEY SHARE) AS kept

-- Many rows at once.

-- name: advance_task
UPDATE tasks SET next_fire_at = step.next_fire_at, fired_until = step.fired_until,
  enabled = step.enabled
FROM unnest(
  CAST(:next_fire_at AS BIGINT[]), CAST(:fired_until AS BIGINT[]), CAST(:enabled AS BOOLEAN[]),
  CAST(:id AS TEXT[]), CAST(:seen AS BIGINT[])
) AS step (next_fire_at, fired_until, enabled, id, seen)
WHERE tasks.id = step.id AND tasks.next_fire_at = step.seen

-- name: busy_tasks
SELECT DISTINCT task_id FROM runs
WHERE task_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:task_ids AS JSONB))))
  AND status IN ('pending', 'running', 'waiting')

-- Bytes.

-- name: context_size
SELECT coalesce(max(id), 0), coalesce(sum(octet_length(text)), 0)
FROM context_blocks WHERE run_id = :run_id

-- name: accepted_calls
SELECT r.id, r.created_at, r.status, r.reason, octet_length(p.payload), p.inbound, r.held
FROM runs r JOIN run_payloads p ON p.run_id = r.id
WHERE r.task_id = :task_id AND r.trigger = 'event'
ORDER BY r.scheduled_for DESC, r.id DESC
LIMIT :limit

-- Words.

-- name: search_messages
SELECT {m.messages} FROM message_search s JOIN messages m ON m.seq = s.seq
WHERE s.words @@ search_query(:agents, :words) AND s.seq < :before
ORDER BY s.seq DESC
LIMIT :limit

-- So many of each task or agent. SQLite looks them up by `id IN (…)` anew for each; PostgreSQL would
-- look at all rows.

-- name: newest_runs_of_user
SELECT {r.runs} FROM agents a
JOIN tasks t ON t.agent_id = a.id AND t.deleted_at IS NULL
CROSS JOIN LATERAL (
  SELECT {n.runs} FROM runs n WHERE n.task_id = t.id
  ORDER BY n.scheduled_for DESC, n.id DESC LIMIT :each) AS r
WHERE a.owner_id = :user_id AND a.deleted_at IS NULL
ORDER BY r.task_id, r.scheduled_for DESC, r.id DESC

-- name: decisions_of_owner
SELECT {d.decisions} FROM agents a
CROSS JOIN LATERAL (
  SELECT {n.decisions} FROM decisions n
  WHERE n.agent_id = a.id AND n.id < :before
    AND (CAST(:status AS TEXT) IS NULL OR n.status = :status)
  ORDER BY n.id DESC LIMIT :limit) AS d
WHERE a.owner_id = :owner_id AND a.deleted_at IS NULL
ORDER BY d.id DESC
LIMIT :limit

-- name: runs_between
SELECT {r.runs} FROM agents a
JOIN tasks t ON t.agent_id = a.id
CROSS JOIN LATERAL (
  (SELECT {n.runs} FROM runs n
    WHERE n.task_id = t.id AND n.scheduled_for >= :since AND n.scheduled_for < :until
      AND n.status = 'completed'
    ORDER BY n.scheduled_for, n.id LIMIT :each)
  UNION ALL
  (SELECT {n.runs} FROM runs n
    WHERE n.task_id = t.id AND n.scheduled_for >= :since AND n.scheduled_for < :until
      AND n.status IN ('failed', 'skipped', 'cancelled')
    ORDER BY n.scheduled_for LIMIT :each)
  UNION ALL
  (SELECT {n.runs} FROM runs n
    WHERE n.task_id = t.id AND n.scheduled_for >= :since AND n.scheduled_for < :until
      AND n.status IN ('pending', 'running', 'waiting')
    ORDER BY n.scheduled_for LIMIT :each)) AS r
WHERE a.owner_id = :user_id AND a.deleted_at IS NULL
  AND (CAST(:agent_id AS TEXT) IS NULL OR a.id = :agent_id)
ORDER BY r.scheduled_for, r.id

-- name: runs_across
SELECT {r.runs} FROM agents a
JOIN tasks t ON t.agent_id = a.id
CROSS JOIN LATERAL (
  SELECT n.id FROM runs n
  WHERE n.task_id = t.id AND n.status IN ('pending', 'running', 'waiting')
    AND n.scheduled_for < :at
  UNION
  SELECT n.id FROM runs n
  WHERE n.task_id = t.id AND n.scheduled_for >= :day_before AND n.scheduled_for < :at
    AND n.finished_at > :at AND (n.status <> 'skipped' OR n.missed_until > :at)
  UNION
  SELECT n.id FROM runs n
  WHERE n.task_id = t.id AND n.finished_at - n.scheduled_for > 86400000
    AND n.finished_at > :at AND n.scheduled_for < :at
    AND (n.status <> 'skipped' OR n.missed_until > :at)) AS f
JOIN runs r ON r.id = f.id
WHERE a.owner_id = :user_id AND a.deleted_at IS NULL
  AND (CAST(:agent_id AS TEXT) IS NULL OR a.id = :agent_id)

-- name: lengths_of_user
SELECT r.task_id, r.finished_at - r.started_at FROM agents a
JOIN tasks t ON t.agent_id = a.id AND t.deleted_at IS NULL AND t.next_fire_at IS NOT NULL
CROSS JOIN LATERAL (
  SELECT n.task_id, n.finished_at, n.started_at FROM runs n
  WHERE n.task_id = t.id AND n.status = 'completed' AND n.started_at IS NOT NULL
  ORDER BY n.scheduled_for DESC, n.id DESC LIMIT :each) AS r
WHERE a.owner_id = :user_id AND a.deleted_at IS NULL
