-- Runs. Every change of status is guarded by the status it starts from (domain/states.py), and
-- the number of changed rows is looked at.

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

-- name: active_runs
SELECT {runs} FROM runs
WHERE task_id = :task_id AND status IN ('pending', 'running', 'waiting')
ORDER BY scheduled_for, id

-- name: oldest_waiting_run
-- What `run/start` takes up: the oldest run of the task whose time has come.
SELECT {runs} FROM runs
WHERE task_id = :task_id AND status = 'pending' AND scheduled_for <= :now
ORDER BY scheduled_for, id
LIMIT 1

-- name: next_queued_run
SELECT {runs} FROM runs
WHERE task_id = :task_id AND status = 'pending' AND queued
ORDER BY scheduled_for, id
LIMIT 1

-- name: due_for_polling
-- Tasks of an agent with a run that nobody has been given yet.
SELECT {t.tasks} FROM tasks t
WHERE t.agent_id = :agent_id AND t.deleted_at IS NULL AND EXISTS (
  SELECT 1 FROM runs r
  WHERE r.task_id = t.id AND r.status = 'pending' AND NOT r.queued AND r.delivery = 'pending'
    AND r.scheduled_for <= :now
)
ORDER BY t.created_at, t.id

-- name: move_run
-- The one statement that changes a status.
UPDATE runs SET
  status = :status, queued = :queued, delivery = :delivery, delivered_at = :delivered_at,
  started_at = :started_at, finished_at = :finished_at, deadline_at = :deadline_at,
  last_deadline_at = :last_deadline_at, waiting_since = :waiting_since, summary = :summary,
  error = :error, reason = :reason, late = :late, input_tokens = :input_tokens,
  output_tokens = :output_tokens, cost_usd = :cost_usd
WHERE id = :id AND status = :expected

-- name: mark_delivered
-- The run's time starts with its delivery.
UPDATE runs SET
  delivery = :delivery, delivered_at = :at, deadline_at = :at + timeout_s * 1000,
  last_deadline_at = :last_deadline_at
WHERE id = :id AND status = 'pending' AND delivered_at IS NULL

-- name: renew_deadline
UPDATE runs SET deadline_at = CASE
  WHEN :at + timeout_s * 1000 < last_deadline_at THEN :at + timeout_s * 1000
  ELSE last_deadline_at END
WHERE id = :id AND status = 'running'

-- name: unfinished_retries
SELECT {runs} FROM runs WHERE retry_of = :run_id AND status = 'pending'

-- name: overdue_runs
SELECT {runs} FROM runs
WHERE deadline_at <= :now AND status IN ('pending', 'running')
ORDER BY deadline_at
LIMIT :limit

-- name: next_deadline
SELECT min(deadline_at) FROM runs
WHERE deadline_at IS NOT NULL AND status IN ('pending', 'running')

-- name: runs_since
-- How often a trigger was called in the last minute.
SELECT count(*) FROM runs
WHERE task_id = :task_id AND trigger = 'event' AND scheduled_for > :since

-- name: run_around
-- The entry that answers "why at that time": the last fire at or before it.
SELECT {runs} FROM runs
WHERE task_id = :task_id AND scheduled_for <= :at
ORDER BY scheduled_for DESC, id DESC
LIMIT 1

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

-- name: running_of_agent
-- The oldest run of an agent that was started by a call from outside and is still under way.
SELECT count(*) FROM runs
WHERE agent_id = :agent_id AND trigger = 'event' AND status IN ('running', 'waiting')

-- name: sweep_runs
-- Ended runs past retention, but never the newest of a task.
DELETE FROM runs WHERE id IN (
  SELECT r.id FROM runs r
  WHERE r.finished_at <= :before AND r.status NOT IN ('pending', 'running', 'waiting')
    AND (SELECT count(*) FROM runs n
         WHERE n.task_id = r.task_id AND (n.scheduled_for, n.id) > (r.scheduled_for, r.id)
        ) >= :keep
  LIMIT :limit
)
