-- Servers that share the database, and which agents are connected to which of them.

-- name: see_node
INSERT INTO nodes (id, seen_at) VALUES (:node_id, :now)
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at

-- name: other_node
SELECT id FROM nodes WHERE id <> :node_id AND seen_at > :alive LIMIT 1

-- name: forget_nodes
DELETE FROM nodes WHERE seen_at <= :before

-- name: forget_connections
-- Of servers that are gone. Not by NOT EXISTS, as in `lease_event`.
DELETE FROM connections
WHERE (SELECT n.id FROM nodes n WHERE n.id = connections.node_id) IS NULL

-- name: forget_node
DELETE FROM nodes WHERE id = :node_id

-- name: forget_connections_of_node
DELETE FROM connections WHERE node_id = :node_id

-- name: connect_agents
-- Of several connections of an agent the newest counts, wherever it is.
INSERT INTO connections (agent_id, node_id) VALUES (:agent_id, :node_id)
ON CONFLICT (agent_id) DO UPDATE SET node_id = excluded.node_id

-- name: disconnect_agents
DELETE FROM connections WHERE agent_id = :agent_id AND node_id = :node_id

-- name: connections
SELECT c.agent_id, c.node_id FROM connections c JOIN nodes n ON n.id = c.node_id
WHERE n.seen_at > :alive

-- name: waiting_at_node
-- What waits for agents connected there, and has for so long that they ought to have got it.
SELECT e.agent_id, e.id FROM connections c JOIN events e ON e.agent_id = c.agent_id
WHERE c.node_id = :node_id AND e.state IN ('held', 'pending', 'polled') AND e.state = 'pending'
  AND e.not_before > :since AND e.not_before <= :before
  AND NOT EXISTS (
    SELECT 1 FROM nodes n
    WHERE n.id = e.leased_by AND n.id <> :node_id AND n.seen_at > :alive)
LIMIT :limit
