-- Where people are notified, what they are to be told, and the server's own keys.

-- name: reader
-- The agent's owner, if there is anywhere to tell them anything. Asked at the end of every run.
SELECT {u.users} FROM agents a JOIN users u ON u.id = a.owner_id
WHERE a.id = :agent_id
  AND EXISTS (SELECT 1 FROM notify_targets t WHERE t.user_id = a.owner_id AND t.enabled)

-- name: insert_notice
-- What has been told for its cause is not told again while the cause stands.
INSERT INTO notices ({notices}) VALUES ({values_of_notices}) ON CONFLICT DO NOTHING

-- name: insert_sends
INSERT INTO notice_sends (target_id, notice_id, due_at, attempts)
SELECT id, :notice_id, :due_at, 0 FROM notify_targets WHERE user_id = :user_id AND enabled

-- name: causes_over
UPDATE notices SET cause = NULL WHERE task_id = :task_id AND cause IS NOT NULL

-- name: notices_of
-- Newest first; an id begins with the time it was made.
SELECT {notices} FROM notices WHERE user_id = :user_id AND id < :before ORDER BY id DESC LIMIT :limit

-- name: sweep_notices
DELETE FROM notices WHERE id IN (
  SELECT id FROM notices WHERE created_at <= :before ORDER BY created_at LIMIT :limit)

-- name: last_result
-- What the task's last successful run before this one brought.
SELECT {r.runs} FROM runs r
WHERE r.task_id = :task_id AND r.status = 'completed' AND r.id <> :run_id
ORDER BY r.scheduled_for DESC, r.id DESC
LIMIT 1

-- name: insert_target
INSERT INTO notify_targets ({notify_targets}) VALUES ({values_of_notify_targets})
ON CONFLICT DO NOTHING

-- name: target
SELECT {notify_targets} FROM notify_targets WHERE id = :target_id

-- name: remove_elsewhere
-- A browser belongs to whoever signed in last.
DELETE FROM notify_targets
WHERE address_hash = :address_hash AND kind = 'push' AND user_id <> :user_id

-- name: target_owner
SELECT {u.users} FROM users u JOIN notify_targets t ON t.user_id = u.id WHERE t.id = :target_id

-- name: target_at
SELECT {notify_targets} FROM notify_targets
WHERE user_id = :user_id AND address_hash = :address_hash

-- name: targets_of
SELECT {notify_targets} FROM notify_targets WHERE user_id = :user_id ORDER BY created_at, id

-- name: all_targets
SELECT {notify_targets} FROM notify_targets ORDER BY created_at, id

-- name: update_target
UPDATE notify_targets SET label = :label, address = :address, enabled = :enabled,
  failing_since = :failing_since, error = :error, used_at = :used_at, failures = :failures,
  next_at = :next_at
WHERE id = :id

-- name: remove_target
DELETE FROM notify_targets WHERE id = :target_id

-- name: due_sends
-- Of each target that is free the notice that had the fewest tries, the oldest of those: one that
-- its target does not take stands in no other's way.
SELECT target_id, notice_id, attempts FROM (
  SELECT s.target_id, s.notice_id, s.attempts, s.due_at,
    row_number() OVER (PARTITION BY s.target_id ORDER BY s.attempts, s.due_at, s.notice_id) AS place
  FROM notice_sends s JOIN notify_targets t ON t.id = s.target_id
  WHERE s.due_at <= :now AND t.next_at <= :now
) AS later
WHERE place = 1
ORDER BY due_at
LIMIT :limit

-- name: next_send_at
SELECT min(CASE WHEN s.due_at < t.next_at THEN t.next_at ELSE s.due_at END)
FROM notice_sends s JOIN notify_targets t ON t.id = s.target_id

-- name: lease_target
UPDATE notify_targets SET next_at = :until WHERE id = :target_id AND next_at <= :now

-- name: notice
SELECT {notices} FROM notices WHERE id = :notice_id

-- name: is_read
SELECT 1 FROM messages m JOIN conversations c ON c.id = m.conversation_id
WHERE m.id = :message_id AND m.seq <= c.read_seq

-- name: send_failed
UPDATE notice_sends SET attempts = attempts + 1
WHERE target_id = :target_id AND notice_id = :notice_id

-- name: send_over
DELETE FROM notice_sends WHERE target_id = :target_id AND notice_id = :notice_id

-- name: sends_over
DELETE FROM notice_sends WHERE notice_id = :notice_id

-- name: sends_of_target_over
DELETE FROM notice_sends WHERE target_id = :target_id

-- name: notice_tried
UPDATE notices SET attempts = attempts + 1, error = :error WHERE id = :notice_id

-- name: settle_notice
UPDATE notices SET state = :state, settled_at = :now, error = :error
WHERE id = :notice_id AND state = 'pending'

-- name: settle_unsent
-- Notices that no target is left for. Not by NOT EXISTS, as in `lease_event`.
UPDATE notices SET state = 'dead', settled_at = :now, error = coalesce(error, :error)
WHERE user_id = :user_id AND state = 'pending'
  AND (SELECT min(s.notice_id) FROM notice_sends s WHERE s.notice_id = notices.id) IS NULL

-- name: sum_up
UPDATE notices SET state = 'summed', settled_at = :now
WHERE user_id = :user_id AND state = 'held' AND not_before <= :until
RETURNING {notices}

-- name: due_mornings
SELECT {u.users}, u.morning_next FROM users u
WHERE u.morning_next IS NOT NULL AND u.morning_next <= :now
ORDER BY u.morning_next
LIMIT :limit

-- name: next_morning
SELECT min(morning_next) FROM users WHERE morning_next IS NOT NULL

-- name: set_morning
UPDATE users SET morning_next = :at WHERE id = :user_id

-- name: ended_runs
-- Runs of a person's agents that ended in the night, without those that were tried again and those
-- of silent tasks. A run's id begins with the time it was made: older ones are not looked at.
SELECT r.agent_id, t.name, r.status, r.error
FROM runs r JOIN agents a ON a.id = r.agent_id JOIN tasks t ON t.id = r.task_id
WHERE r.id >= :first_id AND a.owner_id = :user_id AND a.deleted_at IS NULL
  AND t.notify <> 'silent'
  AND r.status IN ('completed', 'failed') AND r.finished_at >= :since AND r.finished_at < :until
  AND NOT EXISTS (SELECT 1 FROM runs n WHERE n.retry_of = r.id)
ORDER BY r.finished_at, r.id

-- name: server_key
SELECT value FROM server_keys WHERE name = :name

-- name: insert_server_key
INSERT INTO server_keys (name, value, created_at) VALUES (:name, :value, :created_at)
ON CONFLICT DO NOTHING
