-- Browsers in which people are signed in, and the link that makes the first account.

-- name: insert_session
INSERT INTO sessions ({sessions}) VALUES ({values_of_sessions})

-- name: session_by_token
-- The cookie, or the one before it for a little while after the change. Two queries, so that each
-- uses its index.
SELECT {sessions} FROM sessions WHERE token_hash = :token_hash
UNION ALL
SELECT {sessions} FROM sessions
WHERE old_token_hash = :token_hash AND rotated_at > :rotated_after
LIMIT 1

-- name: sessions_of_user
SELECT {sessions} FROM sessions WHERE user_id = :user_id AND expires_at > :now
ORDER BY seen_at DESC, id DESC

-- name: rotate_session
UPDATE sessions SET token_hash = :token_hash, old_token_hash = :old_token_hash,
  rotated_at = :rotated_at
WHERE id = :id AND token_hash = :old_token_hash

-- name: touch_session
UPDATE sessions SET seen_at = :seen_at, expires_at = :expires_at, browser = :browser
WHERE id = :id

-- name: remove_session
DELETE FROM sessions WHERE id = :session_id AND user_id = :user_id

-- name: remove_sessions_of_user
-- All of them, or all but the one in use.
DELETE FROM sessions WHERE user_id = :user_id AND id <> :kept_id

-- name: sweep_sessions
DELETE FROM sessions WHERE expires_at <= :now

-- name: insert_setup_link
INSERT INTO setup_links (token_hash, created_at, expires_at)
VALUES (:token_hash, :created_at, :expires_at)

-- name: setup_link_ends
SELECT expires_at FROM setup_links WHERE token_hash = :token_hash

-- name: clear_setup_links
DELETE FROM setup_links
