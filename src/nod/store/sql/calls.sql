-- Calls that are held for a look, and the senders that a task trusts.

-- name: insert_held_call
INSERT INTO held_calls ({held_calls}) VALUES ({values_of_held_calls})

-- name: waiting_calls
-- Those of a task that nobody has looked at, the oldest first.
SELECT {r.runs}, {h.held_calls} FROM runs r JOIN held_calls h ON h.run_id = r.id
WHERE r.task_id = :task_id AND r.queued AND r.held
ORDER BY r.scheduled_for, r.created_at, r.id

-- name: count_waiting_calls
SELECT count(*) FROM runs WHERE task_id = :task_id AND queued AND held

-- name: open_look
-- The request that is open for the calls of a task.
SELECT {decisions} FROM decisions
WHERE task_id = :task_id AND status = 'pending' AND kind = 'quarantine'

-- name: put_call
-- What the request says of the calls that wait.
UPDATE decisions SET call = :call WHERE id = :decision_id AND status = 'pending'

-- name: trusted_sender
SELECT {trusted_senders} FROM trusted_senders WHERE task_id = :task_id AND sender = :sender

-- name: trusted_senders
-- The oldest first.
SELECT {trusted_senders} FROM trusted_senders WHERE task_id = :task_id ORDER BY created_at, id

-- name: count_trusted_senders
SELECT count(*) FROM trusted_senders WHERE task_id = :task_id

-- name: trust_sender
-- Of a sender that is trusted already, more is known from now on.
INSERT INTO trusted_senders ({trusted_senders}) VALUES ({values_of_trusted_senders})
ON CONFLICT (task_id, sender) DO UPDATE SET
  shape = excluded.shape, trusted_by = excluded.trusted_by

-- name: count_trusted_call
UPDATE trusted_senders SET uses = uses + 1, used_at = :now WHERE id = :sender_id

-- name: remove_trusted_sender
DELETE FROM trusted_senders WHERE id = :sender_id AND task_id = :task_id
