-- What a Nod of the first schema had stored.

INSERT INTO users (id, email, name, password_hash, timezone, created_at)
VALUES ('usr_1', 'ann@example.org', 'Ann', '', 'Europe/Berlin', 1);

INSERT INTO agents (id, owner_id, name, kind, secret_hash, old_secret_in_use, webhook_key, created_at)
VALUES ('agt_1', 'usr_1', 'Ada', 'interactive', '', FALSE, '', 1);

INSERT INTO tasks (id, agent_id, name, description, prompt, schedule, trigger_type, timezone,
  spread_s, overlap, catch_up, timeout_s, max_attempts, idempotent, pause_after_failures, enabled,
  verify, next_fire_at, fired_until, failures, created_by, created_at, updated_at)
VALUES ('tsk_1', 'agt_1', 'Report', '', 'Say how it is.', '0 9 * * *', 'schedule', 'UTC',
  0, 'skip', 'latest', 600, 1, FALSE, 5, TRUE, 'none', 1700000000000, 1, 0, 'user', 1, 1);

INSERT INTO runs (id, task_id, agent_id, status, trigger, queued, attempt, scheduled_for, created_at,
  delivery, finished_at, timeout_s, summary, late)
VALUES ('run_1', 'tsk_1', 'agt_1', 'completed', 'schedule', FALSE, 1, 1, 1, 'delivered', 2, 600,
  'All is well.', FALSE);

INSERT INTO run_outputs (run_id, text, updated_at) VALUES ('run_1', 'The harbour is quiet.', 2);

INSERT INTO events (id, agent_id, run_id, type, body, state, created_at, not_before, attempts,
  retry_reason)
VALUES ('evt_1', 'agt_1', 'run_1', 'task_due', '{}', 'acknowledged', 1, 1, 1, 'first_attempt'),
  ('evt_2', 'agt_1', NULL, 'user_message', '{"text": "Hello"}', 'pending', 2, 2, 0,
  'first_attempt');

INSERT INTO conversations (id, agent_id, title, created_at) VALUES ('cnv_1', 'agt_1', 'Ada', 1);

INSERT INTO images (id, agent_id, media_type, data, created_at)
VALUES ('img_1', 'agt_1', 'image/webp', '', 1);

INSERT INTO messages (id, conversation_id, agent_id, author, kind, text, image_id, run_id,
  created_at, updated_at)
VALUES ('msg_1', 'cnv_1', 'agt_1', 'user', 'text', 'Look at this lighthouse.', 'img_1', NULL, 1, 1),
  ('msg_2', 'cnv_1', 'agt_1', 'agent', 'task', '', NULL, 'run_1', 2, 2);

INSERT INTO decisions (id, agent_id, conversation_id, kind, title, description, options,
  allows_always, always_allow_options, status, always_allow, created_at, expires_at)
VALUES ('dec_1', 'agt_1', 'cnv_1', 'approval', 'May I?', '', '[]', FALSE, '[]', 'pending', FALSE, 1,
  9);

INSERT INTO activity (id, agent_id, kind, title, text, created_at)
VALUES ('act_1', 'agt_1', 'report', 'Done', '', 1);

INSERT INTO login_failures (email, created_at) VALUES ('eve@example.org', 1);
