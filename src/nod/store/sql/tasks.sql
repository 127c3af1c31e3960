-- Tasks: the schedules. next_fire_at is kept while a task is paused, so that a fire that does
-- not run gets its entry too.

-- name: insert_task
INSERT INTO tasks ({tasks}) VALUES ({values_of_tasks})

-- name: task
SELECT {tasks} FROM tasks WHERE id = :task_id

-- name: task_by_trigger
-- A removed agent's triggers are gone with it.
SELECT {t.tasks} FROM tasks t JOIN agents a ON a.id = t.agent_id AND a.deleted_at IS NULL
WHERE t.trigger_id = :trigger_id AND t.deleted_at IS NULL

-- name: tasks_of_agent
SELECT {tasks} FROM tasks
WHERE agent_id = :agent_id AND deleted_at IS NULL
ORDER BY created_at, id

-- name: made_of_agent
-- The agent's tasks, removed ones among them, the newest first.
SELECT {tasks} FROM tasks
WHERE agent_id = :agent_id AND (created_at, id) < (:at, :id)
  AND (CAST(:task_id AS TEXT) IS NULL OR id = :task_id)
ORDER BY created_at DESC, id DESC
LIMIT :limit

-- name: tasks_of_user
SELECT {t.tasks} FROM agents a JOIN tasks t ON t.agent_id = a.id AND t.deleted_at IS NULL
WHERE a.owner_id = :user_id AND a.deleted_at IS NULL
ORDER BY t.created_at, t.id

-- name: task_names
-- The newest tasks of an agent.
SELECT id, agent_id, name FROM tasks
WHERE agent_id = :agent_id AND deleted_at IS NULL
ORDER BY created_at DESC, id DESC
LIMIT :limit

-- name: tasks_with_fires
-- The nought keeps the database from walking all people's tasks in the order of their fires.
SELECT {tasks} FROM tasks
WHERE agent_id = :agent_id AND deleted_at IS NULL AND enabled AND next_fire_at IS NOT NULL
ORDER BY next_fire_at + 0
LIMIT :limit

-- name: count_tasks
-- What an agent has made itself: all that stand, and all since a time (removed ones count, so
-- that removing does not buy a new allowance).
SELECT
  count(*) FILTER (WHERE deleted_at IS NULL),
  count(*) FILTER (WHERE created_at > :since)
FROM tasks
WHERE agent_id = :agent_id AND created_by = 'agent'

-- name: oldest_created_since
SELECT min(created_at) FROM tasks
WHERE agent_id = :agent_id AND created_by = 'agent' AND created_at > :since

-- name: update_task
UPDATE tasks SET
  name = :name, description = :description, prompt = :prompt, schedule = :schedule,
  trigger_type = :trigger_type, timezone = :timezone, run_at = :run_at, starts_at = :starts_at,
  ends_at = :ends_at, spread_s = :spread_s, overlap = :overlap, catch_up = :catch_up,
  catch_up_window_s = :catch_up_window_s, useful_until = :useful_until, timeout_s = :timeout_s,
  max_attempts = :max_attempts, idempotent = :idempotent,
  pause_after_failures = :pause_after_failures, enabled = :enabled, pause_reason = :pause_reason,
  trigger_id = :trigger_id, verify = :verify, verify_secret = :verify_secret,
  next_fire_at = :next_fire_at, fired_until = :fired_until, failures = :failures,
  updated_at = :updated_at, deleted_at = :deleted_at, notify = :notify,
  budget = :budget, budget_by = :budget_by, budgeted = :budgeted, quarantine = :quarantine
WHERE id = :id

-- name: mark_budgeted
-- The agent has a budget, or none any more: whether its tasks have to look at one.
UPDATE tasks SET budgeted = (:agent_has OR budget IS NOT NULL)
WHERE agent_id = :agent_id AND deleted_at IS NULL

-- name: due_tasks
-- The tasks whose next fire has come, the longest due first.
SELECT {tasks} FROM tasks
WHERE next_fire_at <= :now
ORDER BY next_fire_at
LIMIT :limit

-- name: upcoming_tasks
-- To be looked at ahead of their time; taken by nobody.
SELECT {tasks} FROM tasks
WHERE next_fire_at <= :until
ORDER BY next_fire_at
LIMIT :limit OFFSET :skip

-- name: busy_tasks
-- Of these tasks (a JSON list of ids) those with a run that has not ended. Asked once the tasks are
-- in hand: between two looks at once, one of them might have got another run.
SELECT DISTINCT task_id FROM runs
WHERE task_id IN (SELECT value FROM json_each(:task_ids))
  AND status IN ('pending', 'running', 'waiting')

-- name: next_fire_at
SELECT min(next_fire_at) FROM tasks WHERE next_fire_at IS NOT NULL

-- name: advance_task
-- Guarded by the fire that was seen, so that of two nodes one wins.
UPDATE tasks SET next_fire_at = :next_fire_at, fired_until = :fired_until, enabled = :enabled
WHERE id = :id AND next_fire_at = :seen

-- name: set_outcome
UPDATE tasks SET last_run_status = :status, failures = :failures WHERE id = :task_id

-- name: set_paused
UPDATE tasks SET enabled = :enabled, pause_reason = :pause_reason, failures = :failures,
  updated_at = :now
WHERE id = :task_id

-- name: past_calls
-- How often a trigger was called since a time, and what the same call made before. What lies after
-- now was called before the clock was set back.
SELECT
  (SELECT count(*) FROM (
    SELECT 1 FROM runs
    WHERE task_id = :task_id AND trigger = 'event' AND scheduled_for > :counted_since
      AND scheduled_for <= :now
    LIMIT :most
  ) AS counted),
  same.run_id, same.event_id
FROM (SELECT 1) AS always LEFT JOIN trigger_calls same
  ON same.task_id = :task_id AND same.dedupe_key = :dedupe_key AND same.created_at > :same_since

-- name: insert_trigger_call
INSERT INTO trigger_calls (task_id, dedupe_key, run_id, event_id, created_at)
VALUES (:task_id, :dedupe_key, :run_id, :event_id, :created_at)
ON CONFLICT (task_id, dedupe_key) DO UPDATE SET
  run_id = excluded.run_id, event_id = excluded.event_id, created_at = excluded.created_at

-- name: sweep_trigger_calls
DELETE FROM trigger_calls WHERE created_at <= :before

-- name: insert_refused_call
INSERT INTO refused_calls ({refused_calls}) VALUES ({values_of_refused_calls})

-- name: last_refused_call
SELECT created_at FROM refused_calls WHERE task_id = :task_id ORDER BY id DESC LIMIT 1

-- name: refused_calls
SELECT {refused_calls} FROM refused_calls
WHERE task_id = :task_id
ORDER BY id DESC
LIMIT :limit

-- name: keep_refused_calls
-- All but the newest go.
DELETE FROM refused_calls WHERE task_id = :task_id AND id NOT IN (
  SELECT id FROM refused_calls WHERE task_id = :task_id ORDER BY id DESC LIMIT :keep
)

-- name: sweep_refused_calls
DELETE FROM refused_calls WHERE id IN (
  SELECT id FROM refused_calls WHERE created_at <= :before ORDER BY created_at LIMIT :limit
)

-- name: accepted_calls
-- What the newest calls made, with the size of what they brought.
SELECT r.id, r.created_at, r.status, r.reason, length(CAST(p.payload AS BLOB)), p.inbound, r.held
FROM runs r JOIN run_payloads p ON p.run_id = r.id
WHERE r.task_id = :task_id AND r.trigger = 'event'
ORDER BY r.scheduled_for DESC, r.id DESC
LIMIT :limit
