-- The outbox and the attempts made on it. What has expired is not sent any more, also in the
-- moment before the rescue stage ends it.
--
-- Whoever looks for what has not been acknowledged says so by the three states, as the index
-- `events_waiting` does: without them the database walks all that was ever sent to the agent.

-- name: insert_events
-- attempt_at is set where the agent has a webhook that works: that event has to be tried at its
-- time, whatever happens to this process. Others wait until a channel opens.
INSERT INTO events (
  id, agent_id, run_id, type, body, state, created_at, not_before, attempt_at, expires_at,
  attempts, retry_reason, channel, settled_at, error
) VALUES (
  :id, :agent_id, :run_id, :type, :body, :state, :created_at, :not_before,
  (SELECT :not_before FROM agents
   WHERE id = :agent_id AND webhook_url IS NOT NULL AND webhook_disabled IS NULL),
  :expires_at, 0, 'first_attempt', NULL, NULL, NULL
)

-- name: event
SELECT {events} FROM events WHERE id = :event_id

-- name: newest_event
SELECT created_at FROM events ORDER BY seq DESC LIMIT 1

-- name: oldest_undelivered
-- Since when the event that waits longest could have been delivered: a look-up for each agent.
SELECT min(waiting.since) FROM (
  SELECT (
    SELECT o.not_before FROM events o
    WHERE o.agent_id = a.id AND o.state IN ('held', 'pending', 'polled') AND o.state = 'pending'
    ORDER BY o.seq LIMIT 1) AS since
  FROM agents a WHERE a.deleted_at IS NULL) waiting

-- name: count_undelivered
-- Tasks that wait for a channel to the agent, counted to so many.
SELECT count(*) FROM (
  SELECT 1 FROM events
  WHERE agent_id = :agent_id AND state = 'pending' AND type IN ('task_due', 'task_trigger')
    AND not_before <= :now AND (expires_at IS NULL OR expires_at > :now)
  LIMIT :limit
) AS counted

-- name: events_of_run
SELECT {events} FROM events WHERE run_id = :run_id ORDER BY seq

-- name: undelivered
-- What goes to a socket when it opens: oldest first. A trigger that was polled long ago and
-- never taken up counts as undelivered; what another node has in hand for the webhook does not.
SELECT {e.events}, p.run_id, p.payload, p.inbound
FROM events e LEFT JOIN run_payloads p ON p.run_id = e.run_id AND e.type = 'task_trigger'
WHERE e.agent_id = :agent_id AND e.seq > :after
  AND e.state IN ('held', 'pending', 'polled') AND (
  (e.state = 'pending'
    AND (e.expires_at IS NULL OR e.expires_at > :now)
    AND NOT EXISTS (
      SELECT 1 FROM nodes n
      WHERE n.id = e.leased_by AND n.id <> :node_id AND n.seen_at > :alive))
  OR (e.state = 'polled' AND e.settled_at <= :polled_before AND EXISTS (
    SELECT 1 FROM runs r WHERE r.id = e.run_id AND r.status = 'pending'))
)
ORDER BY e.seq
LIMIT :limit

-- name: agents_to_attempt
-- An agent that is connected to another node is that one's. The empty text keeps SQLite from
-- walking all events in the order of their agents.
SELECT DISTINCT agent_id || '' FROM events
WHERE state = 'pending' AND attempt_at <= :now
  AND NOT EXISTS (
    SELECT 1 FROM connections c JOIN nodes n ON n.id = c.node_id
    WHERE c.agent_id = events.agent_id AND c.node_id <> :node_id AND n.seen_at > :alive)
  AND NOT EXISTS (
    SELECT 1 FROM nodes n
    WHERE n.id = events.leased_by AND n.id <> :node_id AND n.seen_at > :alive)

-- name: due_attempts
-- Of each run only its oldest event that is not settled, so that a run's events keep their order.
SELECT {e.events}, p.run_id, p.payload, p.inbound
FROM events e LEFT JOIN run_payloads p ON p.run_id = e.run_id AND e.type = 'task_trigger'
WHERE e.agent_id = :agent_id AND e.state = 'pending' AND e.attempt_at <= :now
  AND (e.expires_at IS NULL OR e.expires_at > :now)
  AND NOT EXISTS (
    SELECT 1 FROM events o
    WHERE o.run_id = e.run_id AND o.seq < e.seq AND o.state IN ('held', 'pending'))
  AND NOT EXISTS (
    SELECT 1 FROM connections c JOIN nodes n ON n.id = c.node_id
    WHERE c.agent_id = e.agent_id AND c.node_id <> :node_id AND n.seen_at > :alive)
  AND NOT EXISTS (
    SELECT 1 FROM nodes n
    WHERE n.id = e.leased_by AND n.id <> :node_id AND n.seen_at > :alive)
ORDER BY e.seq
LIMIT :limit

-- name: lease_event
-- What a node has in hand is its own for as long as it is there; then whoever comes first takes it.
-- Not by NOT EXISTS: PostgreSQL makes a join of that, and who has waited there for another one to
-- write the row has only the row looked at again, not the join.
UPDATE events SET leased_by = :node_id
WHERE id = :event_id AND state = 'pending' AND attempt_at <= :now
  AND (SELECT n.id FROM nodes n
    WHERE n.id = events.leased_by AND n.id <> :node_id AND n.seen_at > :alive) IS NULL

-- name: give_event_back
UPDATE events SET leased_by = NULL WHERE id = :event_id AND leased_by = :node_id

-- name: next_attempt_at
SELECT min(attempt_at) FROM events
WHERE state = 'pending' AND attempt_at > :now

-- name: settle_events
UPDATE events SET state = :state, channel = :channel, settled_at = :at, attempt_at = NULL,
  error = :error
WHERE id = :id AND state = :expected

-- name: settle_run
-- The event that brought a run has no more to say.
UPDATE events SET state = :state, channel = :channel, settled_at = :at, attempt_at = NULL,
  error = :error
WHERE run_id = :run_id AND type IN ('task_due', 'task_trigger')
  AND state IN ('held', 'pending', 'polled')

-- name: bury_events_of_agent
UPDATE events SET state = 'dead', channel = NULL, settled_at = :now, attempt_at = NULL,
  error = :error
WHERE agent_id = :agent_id AND state IN ('held', 'pending', 'polled')

-- name: schedule_attempt
UPDATE events SET attempts = :attempts, attempt_at = :attempt_at, retry_reason = :retry_reason,
  error = :error, leased_by = NULL
WHERE id = :event_id AND state = 'pending' AND (leased_by IS NULL OR leased_by = :node_id)

-- name: queue_event
-- The time of a retry has come; from now on its turn alone counts.
UPDATE events SET not_before = created_at WHERE run_id = :run_id AND state = 'held'

-- name: release_event
UPDATE events SET state = 'pending', not_before = :now, expires_at = :expires_at, attempt_at =
  (SELECT CAST(:now AS BIGINT) FROM agents a
   WHERE a.id = events.agent_id AND a.webhook_url IS NOT NULL AND a.webhook_disabled IS NULL)
WHERE run_id = :run_id AND state = 'held'

-- name: replay_event
UPDATE events SET state = 'pending', not_before = :now, attempts = 0, settled_at = NULL,
  channel = NULL, error = NULL, retry_reason = 'first_attempt', expires_at = :expires_at,
  leased_by = NULL,
  attempt_at =
  (SELECT CAST(:now AS BIGINT) FROM agents a
   WHERE a.id = events.agent_id AND a.webhook_url IS NOT NULL AND a.webhook_disabled IS NULL)
WHERE id = :event_id AND state = :expected

-- name: webhook_opened
-- The agent has a working webhook now: what waits for it is tried.
UPDATE events SET attempt_at = :now
WHERE agent_id = :agent_id AND state = 'pending'

-- name: webhook_closed
UPDATE events SET attempt_at = NULL WHERE agent_id = :agent_id AND state = 'pending'

-- name: expired_events
SELECT {events} FROM events
WHERE state IN ('held', 'pending') AND expires_at <= :now
ORDER BY expires_at
LIMIT :limit

-- name: next_expiry
SELECT min(expires_at) FROM events
WHERE state IN ('held', 'pending') AND expires_at IS NOT NULL

-- name: triggers_to_poll
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

-- name: feed
-- All events of an agent after one it knows, but none of a call that was not let in.
SELECT {e.events}, p.run_id, p.payload, p.inbound
FROM events e LEFT JOIN run_payloads p ON p.run_id = e.run_id AND e.type = 'task_trigger'
WHERE e.agent_id = :agent_id AND e.seq > :after AND e.state <> 'held'
  AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = e.run_id AND r.held)
ORDER BY e.seq
LIMIT :limit

-- name: feed_open
-- The events of an agent that nobody has acknowledged.
SELECT {e.events}, p.run_id, p.payload, p.inbound
FROM events e LEFT JOIN run_payloads p ON p.run_id = e.run_id AND e.type = 'task_trigger'
WHERE e.agent_id = :agent_id AND e.state IN ('held', 'pending', 'polled')
  AND e.state IN ('pending', 'polled')
  AND (e.state = 'polled' OR e.expires_at IS NULL OR e.expires_at > :now)
ORDER BY e.seq
LIMIT :limit

-- name: insert_deliveries
INSERT INTO deliveries ({deliveries}) VALUES ({values_of_deliveries})

-- name: delivery
SELECT {deliveries} FROM deliveries WHERE id = :delivery_id

-- name: deliveries_of_event
SELECT {deliveries} FROM deliveries WHERE event_id = :event_id ORDER BY created_at, id

-- name: deliveries_of_agent
-- The attempts on one channel and what they were to bring, newest first.
SELECT {d.deliveries}, {e.events} FROM deliveries d JOIN events e ON e.id = d.event_id
WHERE d.agent_id = :agent_id AND d.channel = :channel AND (d.created_at, d.id) < (:at, :id)
ORDER BY d.created_at DESC, d.id DESC
LIMIT :limit

-- name: failed_deliveries_of_agent
SELECT {d.deliveries}, {e.events} FROM deliveries d JOIN events e ON e.id = d.event_id
WHERE d.agent_id = :agent_id AND d.channel = :channel AND (d.created_at, d.id) < (:at, :id)
  AND d.outcome <> 'ok'
ORDER BY d.created_at DESC, d.id DESC
LIMIT :limit

-- name: ended_events_of_agent
-- What the agent fetched by itself, or nobody did, newest first.
SELECT {events} FROM events
WHERE agent_id = :agent_id AND state = :state AND (channel = 'poll' OR state = 'dead')
  AND (settled_at, id) < (:at, :id)
ORDER BY settled_at DESC, id DESC
LIMIT :limit

-- name: waiting_events_of_agent
-- What has not arrived, the oldest first.
SELECT {events} FROM events
WHERE agent_id = :agent_id AND state IN ('held', 'pending', 'polled') AND state <> 'polled'
  AND seq > :after
ORDER BY seq
LIMIT :limit

-- name: sweep_events
DELETE FROM events WHERE seq IN (
  SELECT seq FROM events
  WHERE created_at <= :before AND state IN ('acknowledged', 'dead', 'polled')
  ORDER BY seq LIMIT :limit
)
