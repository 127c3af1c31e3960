-- A history as it grows in months: nearly all of it has ended. `grown (60000)` counts to as many times
-- 60,000 as this file is asked for (`support/plans.py`), and `times (300)` is as many times 300.

INSERT INTO users (id, email, name, password_hash, timezone, created_at)
  SELECT 'usr_' || n, 'e' || n, 'n', '', 'UTC', 0 FROM grown (300) n;

INSERT INTO agents (id, owner_id, name, kind, secret_hash, old_secret_in_use, webhook_key,
  created_at) SELECT 'agt_' || n, 'usr_' || n % times (300) + 1, 'n', 'interactive', '', false, '', 0 FROM
  grown (300) n;

INSERT INTO conversations SELECT 'cnv_' || n, 'agt_' || n % 300 + 1, 't', 0, 0
  FROM grown (6000) n;

INSERT INTO tasks SELECT 'tsk_' || n, 'agt_' || n % times (300) + 1, 'n', '', 'p', '0 9 * * *',
  'schedule', 'UTC', NULL, NULL, NULL, 0, 'skip', 'latest', NULL, NULL, 600, 1, false, 5, true,
  NULL, 'trg_' || n, 'none', NULL, 4900 + n, 0, NULL, 0, 'user', n, 0, NULL, 'always' FROM
  grown (60000) n;

INSERT INTO runs SELECT 'run_' || n, 'tsk_' || n % 3000 + 1, 'agt_' || n % 300 + 1, CASE WHEN n %
  499 = 0 THEN 'pending' ELSE 'completed' END, 'schedule', false, 1, CASE WHEN n % 100 = 0 THEN
  'run_' || n - 1 END, n, NULL, n, NULL, 'delivered', n, n, n, CASE WHEN n % 499 = 0 THEN n END,
  NULL, NULL, 600, 'Done.', NULL, NULL, false, NULL, NULL, NULL FROM grown (60000) n;

INSERT INTO events (id, agent_id, run_id, type, body, state, created_at, not_before, attempt_at,
  expires_at, attempts, retry_reason) SELECT 'evt_' || n, 'agt_' || n % 300 + 1, 'run_' || n,
  'task_due', '{}', CASE WHEN n % 499 = 0 THEN 'pending' ELSE 'acknowledged' END, n, n, CASE WHEN
  n % 499 = 0 THEN n END, n, 0, 'first_attempt' FROM grown (60000) n;

INSERT INTO decisions (id, agent_id, conversation_id, run_id, task_id, kind, title, description,
  options, allows_always, always_allow_options, status, always_allow, created_at, expires_at)
  SELECT 'dec_' || n, 'agt_' || n % 300 + 1, 'c', 'run_' || n, 'tsk_' || n % 3000 + 1, 'approval',
  't', '', '[]', false, '[]', CASE WHEN n % 499 = 0 THEN 'pending' ELSE 'approved' END, false, n,
  n FROM grown (20000) n;

INSERT INTO usage_days SELECT 'tsk_' || n % 3000 + 1, 'agt_' || n % 300 + 1,
  to_char(date '2026-01-01' + CAST(n / 3000 AS INTEGER), 'YYYY-MM-DD'), 1, 9, 9, 9, 9 FROM
  grown (60000) n;

INSERT INTO budget_days SELECT 'tsk_' || n % 3000 + 1,
  to_char(date '2026-01-01' + CAST(n / 3000 AS INTEGER), 'YYYY-MM-DD'), 'dec_' || n, NULL FROM
  grown (60000) n;

INSERT INTO context_blocks SELECT 'run_' || n, 1, 't', n FROM grown (6000) n;

INSERT INTO run_payloads SELECT 'run_' || n, '{}', '{}' FROM grown (20000) n;

INSERT INTO trigger_calls SELECT 'tsk_' || n % 3000 + 1, 'key_' || n, 'run', 'evt', n FROM
  grown (6000) n;

INSERT INTO refused_calls SELECT 'rfc_' || n, 'tsk_' || n % 3000 + 1, n, 'paused', '', NULL, '{}'
  FROM grown (6000) n;

INSERT INTO notices (id, user_id, kind, title, text, path, task_id, cause, created_at, not_before,
  attempts, state) SELECT 'ntc_' || n, 'usr_' || n % 100 + 1, 'failure', '', '', '/', 'tsk_' || n % 3000 + 1, CASE
  WHEN n % 100 = 0 THEN 'c' || n END, n, n, 0, 'sent' FROM grown (6000) n;

INSERT INTO allow_rules SELECT 'rul_' || n, 'agt_' || n % 300 + 1, 'p' || n, '', NULL, '', n, 0,
  NULL FROM grown (6000) n;

INSERT INTO sessions SELECT 'ses_' || n, 'usr_' || n % times (300) + 1, 'h' || n, 'o' || n, n, '', n, n, n FROM
  grown (6000) n;

INSERT INTO deliveries SELECT 'dlv_' || n, 'evt_' || n, 'agt_' || n % 300 + 1, 'run_' || n,
  CASE WHEN n % 2 = 0 THEN 'webhook' ELSE 'websocket' END, 1, CASE WHEN n % 100 = 0 THEN 'timeout'
  ELSE 'ok' END, 200, 5, '', NULL, n FROM grown (60000) n;

INSERT INTO activity (id, agent_id, kind, title, text, created_at) SELECT 'act_' || n,
  'agt_' || n % 300 + 1, 'k', '', '', n FROM grown (20000) n;

INSERT INTO notify_targets (id, user_id, kind, label, address_hash, address, enabled, created_at)
  SELECT 'ntg_' || n, 'usr_' || n % 100 + 1, 'push', '', 'h' || n, '', true, n FROM
  grown (300) n;

-- On their way now.
INSERT INTO notice_sends SELECT 'ntg_' || n % 300 + 1, 'ntc_' || n, n, 0
  FROM generate_series(1, 300) n;

INSERT INTO login_failures SELECT 'e' || n, n, 'a' || n FROM grown (6000) n;

INSERT INTO images (id, agent_id, media_type, data, created_at) SELECT 'img_' || n,
  'agt_' || n % 300 + 1, 'image/webp', '', n FROM grown (6000) n;

INSERT INTO nodes SELECT 'node_' || n, 1000000 FROM generate_series(1, 3) n;
INSERT INTO connections SELECT 'agt_' || n, 'node_' || n % 3 + 1 FROM generate_series(1, 300) n;

-- With a list of words that is made quickly.
ALTER TABLE run_outputs DISABLE TRIGGER search_output;
INSERT INTO run_outputs SELECT 'run_' || n, 't', n FROM grown (20000) n;
ALTER TABLE messages DISABLE TRIGGER search_message;
INSERT INTO messages (id, conversation_id, agent_id, author, kind, text, created_at, updated_at)
  SELECT 'msg_' || n, 'cnv_' || n % 6000 + 1, 'agt_' || n % 300 + 1, 'agent', 'text', 't', n, n
  FROM grown (60000) n;
INSERT INTO message_search SELECT seq, array_to_tsvector(ARRAY['@' || substr(agent_id, 5), 't'])
  FROM messages;
ALTER TABLE run_outputs ENABLE TRIGGER search_output;
ALTER TABLE messages ENABLE TRIGGER search_message;

INSERT INTO held_calls SELECT 'run_' || n, 'tsk_' || n % 3000 + 1, 'curl', '{}' FROM grown (6000) n;

INSERT INTO trusted_senders SELECT 'tru_' || n, 'tsk_' || n % 3000 + 1, 'curl ' || n, '{}', '', n, 0,
  NULL FROM grown (6000) n;

ANALYZE;
