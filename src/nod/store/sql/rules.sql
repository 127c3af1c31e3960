-- What people always allow their agents.

-- name: keep_rule
-- Allowing the same again changes nothing.
INSERT INTO allow_rules ({allow_rules}) VALUES ({values_of_allow_rules})
ON CONFLICT (agent_id, pattern) DO NOTHING

-- name: rules_of_agent
SELECT {allow_rules} FROM allow_rules WHERE agent_id = :agent_id ORDER BY created_at, id

-- name: rule_for
SELECT {allow_rules} FROM allow_rules WHERE agent_id = :agent_id AND pattern = :pattern

-- name: count_rule_use
UPDATE allow_rules SET uses = uses + 1, used_at = :now WHERE id = :rule_id

-- name: remove_rule
DELETE FROM allow_rules WHERE id = :rule_id AND agent_id = :agent_id

-- name: answered_by_rules
-- Few of an agent's requests are so many that its index by time would not do.
SELECT {decisions} FROM decisions
WHERE agent_id = :agent_id AND resolved_by = 'rule'
ORDER BY created_at DESC
LIMIT :limit
