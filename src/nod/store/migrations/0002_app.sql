-- breaking
-- What the app needs: who is signed in, what was read, answers that can still be taken back,
-- standing permissions, and notifications. New columns stand at the end, as in domain/model.py.

ALTER TABLE users ADD COLUMN locale TEXT NOT NULL DEFAULT 'en_GB';
ALTER TABLE users ADD COLUMN theme TEXT NOT NULL DEFAULT 'system';
ALTER TABLE users ADD COLUMN quiet_from INTEGER;
ALTER TABLE users ADD COLUMN quiet_until INTEGER;
ALTER TABLE users ADD COLUMN quiet_requests BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN morning_at INTEGER;
ALTER TABLE users ADD COLUMN feed_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE users ADD COLUMN tokens_from INTEGER NOT NULL DEFAULT 0;

-- When the person's night is summed up next; 0: not known yet, NULL: never.
ALTER TABLE users ADD COLUMN morning_next INTEGER;
CREATE INDEX users_mornings ON users (morning_next) WHERE morning_next IS NOT NULL;

ALTER TABLE tasks ADD COLUMN notify TEXT NOT NULL DEFAULT 'always';

ALTER TABLE conversations ADD COLUMN read_seq INTEGER NOT NULL DEFAULT 0;

-- An answer that its person may still take back. The agent hears of it at held_until.
ALTER TABLE decisions ADD COLUMN held_answer TEXT;
ALTER TABLE decisions ADD COLUMN held_by TEXT;
ALTER TABLE decisions ADD COLUMN held_until INTEGER;
CREATE INDEX decisions_held ON decisions (held_until)
  WHERE status = 'pending' AND held_until IS NOT NULL;
ALTER TABLE decisions ADD COLUMN outside BOOLEAN NOT NULL DEFAULT FALSE;

-- A picture goes with its message. One that was uploaded and not sent goes after a day.
ALTER TABLE images ADD COLUMN width INTEGER;
ALTER TABLE images ADD COLUMN height INTEGER;
ALTER TABLE images ADD COLUMN message_id TEXT REFERENCES messages (id) ON DELETE CASCADE;
ALTER TABLE images ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
UPDATE images SET message_id = m.id FROM messages m WHERE m.image_id = images.id;
CREATE INDEX images_by_message ON images (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX images_unsent ON images (created_at) WHERE message_id IS NULL;

-- The link that makes the first account; only its hash is kept.
CREATE TABLE setup_links (
  token_hash TEXT PRIMARY KEY,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);

-- Where a login that failed came from; NULL where nobody was counted.
ALTER TABLE login_failures ADD COLUMN address TEXT;
CREATE INDEX login_failures_by_address ON login_failures (address, created_at)
  WHERE address IS NOT NULL;

-- A browser that is signed in. Its cookie changes every day; the one before works a minute more.
CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  token_hash TEXT NOT NULL UNIQUE,
  old_token_hash TEXT,
  rotated_at INTEGER NOT NULL,
  browser TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX sessions_by_old_token ON sessions (old_token_hash) WHERE old_token_hash IS NOT NULL;
CREATE INDEX sessions_by_user ON sessions (user_id, seen_at);

-- What a person always allows an agent.
CREATE TABLE allow_rules (
  id TEXT PRIMARY KEY,
  agent_id TEXT NOT NULL REFERENCES agents (id),
  pattern TEXT NOT NULL,
  label TEXT NOT NULL,
  decision_id TEXT,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  uses INTEGER NOT NULL,
  used_at INTEGER
);
CREATE UNIQUE INDEX allow_rules_one ON allow_rules (agent_id, pattern);

-- Where a person is notified: a browser's push subscription, or an Apprise URL (sealed).
CREATE TABLE notify_targets (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  label TEXT NOT NULL,
  address_hash TEXT NOT NULL,
  address TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  failing_since INTEGER,
  error TEXT,
  created_at INTEGER NOT NULL,
  used_at INTEGER,
  failures INTEGER NOT NULL DEFAULT 0,
  next_at INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX notify_targets_by_address ON notify_targets (address_hash);
CREATE UNIQUE INDEX notify_targets_one ON notify_targets (user_id, address_hash);

-- What a person is to be told, until every target had its tries.
CREATE TABLE notices (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  text TEXT NOT NULL,
  path TEXT NOT NULL,
  agent_id TEXT,
  task_id TEXT,
  run_id TEXT,
  decision_id TEXT,
  cause TEXT,
  created_at INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  state TEXT NOT NULL,
  settled_at INTEGER,
  error TEXT,
  message_id TEXT
);
CREATE INDEX notices_held ON notices (user_id, not_before) WHERE state = 'held';
CREATE INDEX notices_by_user ON notices (user_id, id);
CREATE INDEX notices_by_time ON notices (created_at);
-- What is told once for one cause; a cause that is over is NULL again.
CREATE UNIQUE INDEX notices_one_per_cause ON notices (user_id, cause) WHERE cause IS NOT NULL;
CREATE INDEX notices_with_cause ON notices (task_id) WHERE cause IS NOT NULL;

-- A notice on its way to one target, until it is there or has had its tries.
CREATE TABLE notice_sends (
  target_id TEXT NOT NULL REFERENCES notify_targets (id) ON DELETE CASCADE,
  notice_id TEXT NOT NULL REFERENCES notices (id) ON DELETE CASCADE,
  due_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  PRIMARY KEY (target_id, notice_id)
);
CREATE INDEX notice_sends_due ON notice_sends (due_at);
CREATE INDEX notice_sends_of_notice ON notice_sends (notice_id);

-- Keys that the server makes for itself (sealed), such as the VAPID key of Web Push.
CREATE TABLE server_keys (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  created_at INTEGER NOT NULL
);

-- Calls of a trigger that made no run: the newest of each task, for the person to look at.
CREATE TABLE refused_calls (
  id TEXT PRIMARY KEY,
  task_id TEXT NOT NULL REFERENCES tasks (id),
  created_at INTEGER NOT NULL,
  status TEXT NOT NULL,
  reason TEXT NOT NULL,
  size_bytes INTEGER,
  inbound TEXT NOT NULL
);
CREATE INDEX refused_calls_by_task ON refused_calls (task_id, id);
CREATE INDEX refused_calls_by_time ON refused_calls (created_at);

-- What happened: lines, ends of runs and answers, each read newest first by agent.
ALTER TABLE activity ADD COLUMN decision_id TEXT;
DROP INDEX activity_by_agent;
CREATE INDEX activity_by_agent ON activity (agent_id, created_at, seq);
CREATE INDEX runs_ended ON runs (agent_id, finished_at, id) WHERE finished_at IS NOT NULL;
CREATE INDEX decisions_answered ON decisions (agent_id, resolved_at, id)
  WHERE resolved_at IS NOT NULL;

-- Retries that wait for their time.
DROP INDEX events_release;
CREATE INDEX events_release ON events (not_before) WHERE state = 'held' AND not_before > created_at;

-- Runs that wait for their turn; all are pending.
CREATE INDEX runs_queued ON runs (task_id) WHERE queued;
-- What did not complete: little beside all that did, and what an agenda shows one by one.
CREATE INDEX runs_not_completed ON runs (task_id, scheduled_for, status)
  WHERE status IN ('failed', 'skipped', 'cancelled');

-- Entries that reach over more than a day, of which there are few: what an agenda of a day finds
-- of the days before.
CREATE INDEX runs_long ON runs (task_id, finished_at)
  WHERE finished_at - scheduled_for > 86400000;

-- Attempts to deliver, newest first, by agent and channel; those that failed are few among many.
DROP INDEX deliveries_by_agent;
CREATE INDEX deliveries_by_agent ON deliveries (agent_id, channel, created_at, id);
CREATE INDEX deliveries_failed ON deliveries (agent_id, channel, created_at, id)
  WHERE outcome <> 'ok';
-- Made anew: of two indexes that serve as well SQLite takes the younger one, and the other is
-- events_feed, which has all that was ever sent.
DROP INDEX events_waiting;
CREATE INDEX events_waiting ON events (agent_id, seq) WHERE state IN ('held', 'pending', 'polled');
-- What the agent fetched by itself, or nobody did.
CREATE INDEX events_ended ON events (agent_id, state, settled_at, id)
  WHERE channel = 'poll' OR state = 'dead';

-- Questions of an agent, newest first; an id begins with the time it was made.
DROP INDEX decisions_by_agent;
CREATE INDEX decisions_by_agent ON decisions (agent_id, id);
-- Servers that share this database, and to which of them an agent is connected. A server that has
-- not been seen for some seconds is none any more.
CREATE TABLE nodes (
  id TEXT PRIMARY KEY,
  seen_at INTEGER NOT NULL
);
CREATE TABLE connections (
  agent_id TEXT PRIMARY KEY,
  node_id TEXT NOT NULL
);
CREATE INDEX connections_of_node ON connections (node_id);
-- The server that has the event in hand, on its way to the webhook, for as long as that server is
-- there.
ALTER TABLE events ADD COLUMN leased_by TEXT;

-- Budgets, and what is used up by day: of the owner's zone, written 2030-12-24.
ALTER TABLE agents ADD COLUMN budget TEXT;
ALTER TABLE tasks ADD COLUMN budget TEXT;
ALTER TABLE tasks ADD COLUMN budget_by TEXT;
-- Whether the task or its agent has a budget: a fire of any other looks at none.
ALTER TABLE tasks ADD COLUMN budgeted BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE runs ADD COLUMN waited_ms INTEGER NOT NULL DEFAULT 0;
CREATE TABLE usage_days (
  task_id TEXT NOT NULL REFERENCES tasks (id),
  agent_id TEXT NOT NULL,
  day TEXT NOT NULL,
  runs INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cost_microusd INTEGER NOT NULL,
  work_ms INTEGER NOT NULL,
  PRIMARY KEY (task_id, day)
);
CREATE INDEX usage_days_by_agent ON usage_days (agent_id, day);
CREATE INDEX usage_days_by_day ON usage_days (day);
-- The request about a budget, of a task or of an agent (`subject`), on a day, and what a person said.
CREATE TABLE budget_days (
  subject TEXT NOT NULL,
  day TEXT NOT NULL,
  decision_id TEXT NOT NULL,
  today TEXT,
  PRIMARY KEY (subject, day)
);
CREATE INDEX budget_days_by_day ON budget_days (day);
-- Calls of a new sender, or that bring something new, are held until a person has looked at them.
ALTER TABLE tasks ADD COLUMN quarantine BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE runs ADD COLUMN outside BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE runs SET outside = TRUE WHERE id IN (SELECT run_id FROM run_payloads);
ALTER TABLE runs ADD COLUMN held BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE decisions ADD COLUMN call TEXT;
CREATE INDEX decisions_looks ON decisions (task_id)
  WHERE status = 'pending' AND kind = 'quarantine';
CREATE TABLE held_calls (
  run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
  task_id TEXT NOT NULL REFERENCES tasks (id),
  sender TEXT NOT NULL,
  shape TEXT NOT NULL
);
CREATE TABLE trusted_senders (
  id TEXT PRIMARY KEY,
  task_id TEXT NOT NULL REFERENCES tasks (id),
  sender TEXT NOT NULL,
  shape TEXT NOT NULL,
  trusted_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  uses INTEGER NOT NULL,
  used_at INTEGER
);
CREATE UNIQUE INDEX trusted_senders_one ON trusted_senders (task_id, sender);

-- Whether an agent's webhook gets an event as it is, or as a CloudEvent.
ALTER TABLE agents ADD COLUMN webhook_format TEXT NOT NULL DEFAULT 'nod';

-- Where a run stands in its caller's trace.
ALTER TABLE runs ADD COLUMN traceparent TEXT;
ALTER TABLE runs ADD COLUMN tracestate TEXT;
