-- People and their agents.

-- name: insert_user
INSERT INTO users ({users}) VALUES ({values_of_users}) ON CONFLICT (email) DO NOTHING

-- name: user
SELECT {users} FROM users WHERE id = :user_id

-- name: user_by_email
SELECT {users} FROM users WHERE email = :email

-- name: first_user
-- The account made first. The empty address is the place kept for it (see "claim_user").
SELECT {users} FROM users WHERE email <> '' ORDER BY created_at, id LIMIT 1

-- name: claim_user
-- Agents may be added before there is any account. They belong to a row without an address, and
-- the account made first becomes that row.
UPDATE users SET email = :email, name = :name, password_hash = :password_hash,
  timezone = :timezone, created_at = :created_at
WHERE id = :id AND email = ''

-- name: update_user
-- The zone or the quiet hours may be others now: the notify stage finds the next morning anew.
UPDATE users SET name = :name, password_hash = :password_hash, timezone = :timezone,
  locale = :locale, theme = :theme, quiet_from = :quiet_from, quiet_until = :quiet_until,
  quiet_requests = :quiet_requests, morning_at = :morning_at, feed_version = :feed_version,
  tokens_from = :tokens_from, morning_next = 0
WHERE id = :id

-- name: insert_login_attempt
INSERT INTO login_failures (email, address, created_at) VALUES (:email, :address, :created_at)

-- name: login_attempts
SELECT count(*), min(created_at) FROM login_failures
WHERE email = :email AND created_at > :since

-- name: login_attempts_from
SELECT count(*), min(created_at) FROM login_failures
WHERE address = :address AND created_at > :since

-- name: clear_login_attempts
DELETE FROM login_failures WHERE email = :email

-- name: sweep_login_attempts
DELETE FROM login_failures WHERE created_at <= :before

-- name: insert_agent
INSERT INTO agents ({agents}) VALUES ({values_of_agents})

-- name: agent
SELECT {agents} FROM agents WHERE id = :agent_id AND deleted_at IS NULL

-- name: kept_agent
-- The same for whoever counts what the agent has, or writes it anew from what it was.
SELECT {agents} FROM agents WHERE id = :agent_id AND deleted_at IS NULL

-- name: kept_agents
-- Several of them (a JSON list of ids), in one order everywhere.
SELECT {agents} FROM agents
WHERE id IN (SELECT value FROM json_each(:agent_ids)) AND deleted_at IS NULL
ORDER BY id

-- name: agents_of
SELECT {agents} FROM agents
WHERE owner_id = :owner_id AND deleted_at IS NULL
ORDER BY created_at, id

-- name: all_agents
SELECT {agents} FROM agents WHERE deleted_at IS NULL ORDER BY created_at, id

-- name: suspects
-- Those of whose connections one may have to go: removed, or with a former secret that ends.
SELECT {agents} FROM agents WHERE deleted_at IS NOT NULL OR old_secret_until IS NOT NULL

-- name: update_agent
-- What a person edits. What the agent and the delivery write all the time has statements of its
-- own, so that neither overwrites the other.
UPDATE agents SET name = :name, timezone = :timezone, webhook_url = :webhook_url,
  webhook_format = :webhook_format, webhook_failing_since = :webhook_failing_since,
  webhook_told_at = :webhook_told_at, webhook_disabled = :webhook_disabled, budget = :budget
WHERE id = :id

-- name: rotate_secret
UPDATE agents SET secret_hash = :secret_hash, old_secret_hash = :old_secret_hash,
  old_secret_until = :old_secret_until, old_secret_in_use = :old_secret_in_use,
  webhook_key = :webhook_key, old_webhook_key = :old_webhook_key
WHERE id = :id

-- name: mark_new_secret_seen
UPDATE agents SET old_secret_in_use = :in_use WHERE id = :agent_id

-- name: remove_agent
UPDATE agents SET deleted_at = :now WHERE id = :agent_id AND deleted_at IS NULL

-- name: set_webhook_health
UPDATE agents SET webhook_failing_since = :failing_since, webhook_told_at = :told_at,
  webhook_disabled = :disabled
WHERE id = :agent_id

-- name: touch_agents
-- Times only grow: batches of two nodes may arrive in any order.
UPDATE agents SET last_seen_at = :at
WHERE id = :id AND (last_seen_at IS NULL OR last_seen_at < :at)

-- name: set_thinking
UPDATE agents SET status_text = :text, thinking_until = :until, thinking_in = :conversation_id
WHERE id = :agent_id
