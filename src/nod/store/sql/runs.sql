-- Runs. Every change of status is guarded by the status it starts from (domain/states.py), and
-- the number of changed rows is looked at.
--
-- Whoever looks for runs that have not ended says so by the three statuses, as the index
-- `runs_active` does: without them the database walks the whole history of the task.

-- name: insert_runs
INSERT INTO runs ({runs}) VALUES ({values_of_runs})

-- name: run
SELECT {runs} FROM runs WHERE id = :run_id

-- name: runs_of_task
-- Newest first, after the run the last page ended with.
SELECT {runs} FROM runs
WHERE task_id = :task_id AND (scheduled_for, id) < (:before, :before_id)
ORDER BY scheduled_for DESC, id DESC
LIMIT :limit

-- name: newest_runs_of_user
-- The newest of each task, newest first in each.
SELECT {r.runs} FROM agents a
JOIN tasks t ON t.agent_id = a.id AND t.deleted_at IS NULL
JOIN runs r ON r.id IN (
  SELECT n.id FROM runs n WHERE n.task_id = t.id
  ORDER BY n.scheduled_for DESC, n.id DESC LIMIT :each)
WHERE a.owner_id = :user_id AND a.deleted_at IS NULL
ORDER BY r.task_id, r.scheduled_for DESC, r.id DESC

-- name: run_lengths
SELECT finished_at - started_at FROM runs
WHERE task_id = :task_id AND status = 'completed' AND started_at IS NOT NULL
ORDER BY scheduled_for DESC, id DESC
LIMIT :limit

-- name: active_runs
-- The oldest first. In the order of runs_by_task SQLite would take that index.
SELECT {runs} FROM runs
WHERE task_id = :task_id AND status IN ('pending', 'running', 'waiting')
ORDER BY scheduled_for, created_at, id

-- name: oldest_waiting_run
-- What `run/start` takes up: the oldest run of the task, but no retry whose time has not come, and
-- none that waits for a look.
SELECT {runs} FROM runs
WHERE task_id = :task_id AND status IN ('pending', 'running', 'waiting') AND status = 'pending'
  AND (trigger <> 'retry' OR scheduled_for <= :now) AND NOT held
ORDER BY scheduled_for, (SELECT min(e.seq) FROM events e WHERE e.run_id = runs.id)
LIMIT 1

-- name: next_queued_run
-- First in, first out: the outbox counts, where several calls came within one millisecond. While
-- their task is paused, what somebody wants by hand goes before the others.
SELECT {runs} FROM runs
WHERE task_id = :task_id AND queued AND NOT held
ORDER BY :by_hand_first AND trigger <> 'manual', (SELECT min(e.seq) FROM events e WHERE e.run_id = runs.id)
LIMIT 1

-- name: due_retries
-- Retries whose time has come, and that have not got a place in the queue yet.
SELECT {t.tasks}, {r.runs} FROM events e
JOIN runs r ON r.id = e.run_id JOIN tasks t ON t.id = r.task_id
WHERE e.state = 'held' AND e.not_before > e.created_at AND e.not_before <= :now
ORDER BY e.not_before
LIMIT :limit

-- name: next_retry_at
SELECT min(not_before) FROM events WHERE state = 'held' AND not_before > created_at

-- name: due_for_polling
-- Tasks of an agent with a run that nobody has been given yet.
SELECT {t.tasks} FROM tasks t
WHERE t.agent_id = :agent_id AND t.deleted_at IS NULL AND EXISTS (
  SELECT 1 FROM runs r
  WHERE r.task_id = t.id AND r.status IN ('pending', 'running', 'waiting')
    AND r.status = 'pending' AND NOT r.queued AND r.delivery = 'pending'
    AND (r.trigger <> 'retry' OR r.scheduled_for <= :now)
)
ORDER BY t.created_at, t.id

-- name: move_run
-- The one statement that changes a status.
UPDATE runs SET
  status = :status, queued = :queued, delivery = :delivery, delivered_at = :delivered_at,
  started_at = :started_at, finished_at = :finished_at, deadline_at = :deadline_at,
  last_deadline_at = :last_deadline_at, waiting_since = :waiting_since, summary = :summary,
  error = :error, reason = :reason, late = :late, input_tokens = :input_tokens,
  output_tokens = :output_tokens, cost_usd = :cost_usd, waited_ms = :waited_ms, held = :held
WHERE id = :id AND status = :expected

-- name: run_end
-- What the end of a run touches, in one look: its task, the conversation that shows it (none where
-- the agent was removed), the owner's zone, and whether there is anything to clear, to close, and
-- to let go, anybody to tell, and "Thinking…" to end.
SELECT {t.tasks},
  (SELECT c.id FROM agents a JOIN conversations c ON c.agent_id = a.id
   WHERE a.id = t.agent_id AND a.deleted_at IS NULL AND a.kind = 'interactive'
   ORDER BY c.created_at, c.id LIMIT 1),
  (SELECT u.timezone FROM agents a JOIN users u ON u.id = a.owner_id WHERE a.id = t.agent_id),
  EXISTS (SELECT 1 FROM context_blocks WHERE run_id = :run_id),
  EXISTS (SELECT 1 FROM decisions WHERE run_id = :run_id AND status = 'pending'),
  EXISTS (SELECT 1 FROM runs q WHERE q.task_id = t.id AND q.queued AND NOT q.held),
  EXISTS (SELECT 1 FROM agents a JOIN notify_targets n ON n.user_id = a.owner_id
    WHERE a.id = t.agent_id AND n.enabled),
  EXISTS (SELECT 1 FROM agents a WHERE a.id = t.agent_id AND a.thinking_until IS NOT NULL)
FROM tasks t WHERE t.id = :task_id

-- name: mark_delivered
-- The run's time starts with its delivery. What was handed out by polling, not taken up, and then
-- acknowledged on another channel was delivered there.
UPDATE runs SET
  delivery = :delivery, delivered_at = :at, deadline_at = :at + timeout_s * 1000,
  last_deadline_at = :last_deadline_at
WHERE id = :id AND status = 'pending'
  AND (delivered_at IS NULL OR (delivery = 'polled' AND :delivery = 'delivered'))

-- name: unfinished_retries
-- A retry that failed may have been retried itself.
WITH RECURSIVE later (id) AS (
  SELECT id FROM runs WHERE retry_of = :run_id
  UNION ALL
  SELECT r.id FROM runs r JOIN later ON r.retry_of = later.id
)
SELECT {r.runs} FROM later JOIN runs r ON r.id = later.id
WHERE r.status = 'pending'
ORDER BY r.scheduled_for, r.id

-- name: overdue_runs
SELECT {runs} FROM runs
WHERE deadline_at <= :now AND status IN ('pending', 'running')
ORDER BY deadline_at
LIMIT :limit

-- name: next_deadline
SELECT min(deadline_at) FROM runs
WHERE deadline_at IS NOT NULL AND status IN ('pending', 'running')

-- name: fired
SELECT scheduled_for FROM runs
WHERE task_id = :task_id AND trigger IN ('schedule', 'once')
  AND scheduled_for BETWEEN :since AND :until

-- name: forget_skipped_ahead
DELETE FROM runs
WHERE task_id = :task_id AND trigger IN ('schedule', 'once') AND status = 'skipped'
  AND scheduled_for > :now

-- name: shorten_missed
UPDATE runs SET missed_until = :now
WHERE task_id = :task_id AND trigger IN ('schedule', 'once') AND status = 'skipped'
  AND scheduled_for <= :now AND missed_until > :now

-- name: run_around
-- The entry that answers "why at that time": the last fire at or before it.
SELECT {runs} FROM runs
WHERE task_id = :task_id AND scheduled_for <= :at
ORDER BY scheduled_for DESC, id DESC
LIMIT 1

-- name: ended_before
-- The last result, or failure, of the task before an entry.
SELECT {runs} FROM runs
WHERE task_id = :task_id AND (scheduled_for, id) < (:at, :id)
  AND status IN ('completed', 'failed')
ORDER BY scheduled_for DESC, id DESC
LIMIT 1

-- name: ended_after
SELECT {runs} FROM runs
WHERE task_id = :task_id AND (scheduled_for, id) > (:at, :id)
  AND status IN ('completed', 'failed')
ORDER BY scheduled_for, id
LIMIT 1

-- name: completed_before
SELECT {runs} FROM runs
WHERE task_id = :task_id AND (scheduled_for, id) < (:at, :id) AND status = 'completed'
ORDER BY scheduled_for DESC, id DESC
LIMIT 1

-- name: questions_of_run
-- All that the run has asked, the oldest first.
SELECT {decisions} FROM decisions WHERE run_id = :run_id ORDER BY created_at, id

-- name: ended_runs_of_agent
-- With the name of their task, the newest end first; of the states between the spaces of :states.
SELECT {r.runs}, t.name FROM runs r JOIN tasks t ON t.id = r.task_id
WHERE r.agent_id = :agent_id AND r.finished_at IS NOT NULL
  AND (r.finished_at, r.id) < (:at, :id)
  AND (CAST(:task_id AS TEXT) IS NULL OR r.task_id = :task_id)
  AND :states LIKE '% ' || r.status || ' %'
ORDER BY r.finished_at DESC, r.id DESC
LIMIT :limit

-- name: runs_between
-- Of each task of a person, or of one of their agents, what was due in a span; removed tasks count.
-- Of those that completed, of those that did not and of those under way as many as are wanted.
SELECT {r.runs} FROM agents a
JOIN tasks t ON t.agent_id = a.id
JOIN runs r ON r.id IN (
  SELECT id FROM (
    SELECT n.id FROM runs n
    WHERE n.task_id = t.id AND n.scheduled_for >= :since AND n.scheduled_for < :until
      AND n.status = 'completed'
    ORDER BY n.scheduled_for, n.id LIMIT :each) AS listed
  UNION ALL
  SELECT id FROM (
    SELECT n.id FROM runs n
    WHERE n.task_id = t.id AND n.scheduled_for >= :since AND n.scheduled_for < :until
      AND n.status IN ('failed', 'skipped', 'cancelled')
    ORDER BY n.scheduled_for LIMIT :each) AS listed
  UNION ALL
  SELECT id FROM (
    SELECT n.id FROM runs n
    WHERE n.task_id = t.id AND n.scheduled_for >= :since AND n.scheduled_for < :until
      AND n.status IN ('pending', 'running', 'waiting')
    ORDER BY n.scheduled_for LIMIT :each) AS listed)
WHERE a.owner_id = :user_id AND a.deleted_at IS NULL
  AND (CAST(:agent_id AS TEXT) IS NULL OR a.id = :agent_id)
ORDER BY r.scheduled_for, r.id

-- name: count_between
-- How much was due in a span, by task: all of it, by an index alone, and by status what of it did
-- not complete, of which there is little. The first and the last of each.
SELECT r.task_id, 'all', count(*), min(r.scheduled_for), max(r.scheduled_for)
FROM agents a
JOIN tasks t ON t.agent_id = a.id
JOIN runs r ON r.task_id = t.id AND r.scheduled_for >= :since AND r.scheduled_for < :until
WHERE a.owner_id = :user_id AND a.deleted_at IS NULL
  AND (CAST(:agent_id AS TEXT) IS NULL OR a.id = :agent_id)
GROUP BY r.task_id
UNION ALL
SELECT r.task_id, r.status, count(*), min(r.scheduled_for), max(r.scheduled_for)
FROM agents a
JOIN tasks t ON t.agent_id = a.id
JOIN runs r ON r.task_id = t.id AND r.scheduled_for >= :since AND r.scheduled_for < :until
  AND r.status IN ('failed', 'skipped', 'cancelled')
WHERE a.owner_id = :user_id AND a.deleted_at IS NULL
  AND (CAST(:agent_id AS TEXT) IS NULL OR a.id = :agent_id)
GROUP BY r.task_id, r.status
UNION ALL
SELECT r.task_id, r.status, count(*), min(r.scheduled_for), max(r.scheduled_for)
FROM agents a
JOIN tasks t ON t.agent_id = a.id
JOIN runs r ON r.task_id = t.id AND r.scheduled_for >= :since AND r.scheduled_for < :until
  AND r.status IN ('pending', 'running', 'waiting')
WHERE a.owner_id = :user_id AND a.deleted_at IS NULL
  AND (CAST(:agent_id AS TEXT) IS NULL OR a.id = :agent_id)
GROUP BY r.task_id, r.status

-- name: runs_across
-- What was due before a moment and not over at it: under way, or ended later. What took more than
-- a day has an index of its own, so nobody looks back further than that.
SELECT {r.runs} FROM agents a
JOIN tasks t ON t.agent_id = a.id
JOIN runs r ON r.id IN (
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
    AND (n.status <> 'skipped' OR n.missed_until > :at))
WHERE a.owner_id = :user_id AND a.deleted_at IS NULL
  AND (CAST(:agent_id AS TEXT) IS NULL OR a.id = :agent_id)

-- name: lengths_of_user
-- How long the newest runs took that completed, of each task that has a fire to come.
SELECT r.task_id, r.finished_at - r.started_at FROM agents a
JOIN tasks t ON t.agent_id = a.id AND t.deleted_at IS NULL AND t.next_fire_at IS NOT NULL
JOIN runs r ON r.id IN (
  SELECT n.id FROM runs n
  WHERE n.task_id = t.id AND n.status = 'completed' AND n.started_at IS NOT NULL
  ORDER BY n.scheduled_for DESC, n.id DESC LIMIT :each)
WHERE a.owner_id = :user_id AND a.deleted_at IS NULL

-- name: put_output
INSERT INTO run_outputs (run_id, text, updated_at) VALUES (:run_id, :text, :now)
ON CONFLICT (run_id) DO UPDATE SET text = excluded.text, updated_at = excluded.updated_at

-- name: output
SELECT text FROM run_outputs WHERE run_id = :run_id

-- name: insert_payload
INSERT INTO run_payloads (run_id, payload, inbound) VALUES (:run_id, :payload, :inbound)

-- name: payload
SELECT run_id, payload, inbound FROM run_payloads WHERE run_id = :run_id

-- name: copy_payload
INSERT INTO run_payloads (run_id, payload, inbound)
SELECT :run_id, payload, inbound FROM run_payloads WHERE run_id = :from_run_id

-- name: context_size
SELECT coalesce(max(id), 0), coalesce(sum(length(CAST(text AS BLOB))), 0)
FROM context_blocks WHERE run_id = :run_id

-- name: insert_context
INSERT INTO context_blocks (run_id, id, text, created_at)
VALUES (:run_id, :id, :text, :created_at)

-- name: context_blocks
SELECT run_id, id, text, created_at FROM context_blocks WHERE run_id = :run_id ORDER BY id

-- name: clear_context
DELETE FROM context_blocks WHERE run_id = :run_id

-- name: count_triggered
-- The runs of an agent that a call from outside started and that are under way: from their
-- delivery on, for the agent may act on what the call brought before it names the run.
SELECT count(*) FROM tasks t
JOIN runs r ON r.task_id = t.id AND r.status IN ('pending', 'running', 'waiting')
WHERE t.agent_id = :agent_id AND r.outside AND (r.status <> 'pending' OR r.delivered_at IS NOT NULL)

-- name: sweep_runs
-- Ended runs past retention, but never the newest of a task.
DELETE FROM runs WHERE id IN (
  SELECT r.id FROM runs r
  WHERE r.finished_at <= :before AND r.status NOT IN ('pending', 'running', 'waiting')
    AND EXISTS (
      SELECT 1 FROM runs n
      WHERE n.task_id = r.task_id AND (n.scheduled_for, n.id) >= (r.scheduled_for, r.id)
      LIMIT 1 OFFSET :keep)
  LIMIT :limit
)
