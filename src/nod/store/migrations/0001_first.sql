-- breaking
-- The first schema. Instants are integers, milliseconds since 1970 UTC. Columns stand in the
-- order of the fields in domain/model.py.

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  email TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  timezone TEXT NOT NULL,
  created_at INTEGER NOT NULL
);

CREATE TABLE agents (
  id TEXT PRIMARY KEY,
  owner_id TEXT NOT NULL REFERENCES users (id),
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  timezone TEXT,
  secret_hash TEXT NOT NULL,
  old_secret_hash TEXT,
  old_secret_until INTEGER,
  old_secret_in_use BOOLEAN NOT NULL,
  webhook_url TEXT,
  webhook_key TEXT NOT NULL,
  old_webhook_key TEXT,
  webhook_failing_since INTEGER,
  webhook_told_at INTEGER,
  webhook_disabled TEXT,
  last_seen_at INTEGER,
  status_text TEXT,
  thinking_until INTEGER,
  thinking_in TEXT,
  created_at INTEGER NOT NULL,
  deleted_at INTEGER
);
CREATE INDEX agents_by_owner ON agents (owner_id);

CREATE TABLE tasks (
  id TEXT PRIMARY KEY,
  agent_id TEXT NOT NULL REFERENCES agents (id),
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  prompt TEXT NOT NULL,
  schedule TEXT NOT NULL,
  trigger_type TEXT NOT NULL,
  timezone TEXT NOT NULL,
  run_at INTEGER,
  starts_at INTEGER,
  ends_at INTEGER,
  spread_s INTEGER NOT NULL,
  overlap TEXT NOT NULL,
  catch_up TEXT NOT NULL,
  catch_up_window_s INTEGER,
  useful_until TEXT,
  timeout_s INTEGER NOT NULL,
  max_attempts INTEGER NOT NULL,
  idempotent BOOLEAN NOT NULL,
  pause_after_failures INTEGER NOT NULL,
  enabled BOOLEAN NOT NULL,
  pause_reason TEXT,
  trigger_id TEXT UNIQUE,
  verify TEXT NOT NULL,
  verify_secret TEXT,
  next_fire_at INTEGER,
  fired_until INTEGER NOT NULL,
  last_run_status TEXT,
  failures INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  deleted_at INTEGER
);
CREATE INDEX tasks_by_agent ON tasks (agent_id, created_at);
CREATE INDEX tasks_due ON tasks (next_fire_at) WHERE next_fire_at IS NOT NULL;

CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  task_id TEXT NOT NULL REFERENCES tasks (id),
  agent_id TEXT NOT NULL,
  status TEXT NOT NULL,
  trigger TEXT NOT NULL,
  queued BOOLEAN NOT NULL,
  attempt INTEGER NOT NULL,
  retry_of TEXT,
  scheduled_for INTEGER NOT NULL,
  missed_until INTEGER,
  created_at INTEGER NOT NULL,
  useful_until INTEGER,
  delivery TEXT NOT NULL,
  delivered_at INTEGER,
  started_at INTEGER,
  finished_at INTEGER,
  deadline_at INTEGER,
  last_deadline_at INTEGER,
  waiting_since INTEGER,
  timeout_s INTEGER NOT NULL,
  summary TEXT,
  error TEXT,
  reason TEXT,
  late BOOLEAN NOT NULL,
  input_tokens INTEGER,
  output_tokens INTEGER,
  cost_usd REAL
);
-- One fire of one task is one run, whatever crashes or races.
CREATE UNIQUE INDEX runs_one_per_fire ON runs (task_id, scheduled_for)
  WHERE trigger IN ('schedule', 'once');
CREATE INDEX runs_by_task ON runs (task_id, scheduled_for, id);
CREATE INDEX runs_active ON runs (task_id, scheduled_for)
  WHERE status IN ('pending', 'running', 'waiting');
CREATE INDEX runs_deadline ON runs (deadline_at) WHERE deadline_at IS NOT NULL;
CREATE INDEX runs_retries ON runs (retry_of) WHERE retry_of IS NOT NULL;

CREATE TABLE run_outputs (
  run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
  text TEXT NOT NULL,
  updated_at INTEGER NOT NULL
);

CREATE TABLE run_payloads (
  run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
  payload TEXT NOT NULL,
  inbound TEXT NOT NULL
);

CREATE TABLE context_blocks (
  run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  id INTEGER NOT NULL,
  text TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (run_id, id)
);

-- A repeated inbound call answers the first run.
CREATE TABLE trigger_calls (
  task_id TEXT NOT NULL REFERENCES tasks (id),
  dedupe_key TEXT NOT NULL,
  run_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (task_id, dedupe_key)
);
CREATE INDEX trigger_calls_by_time ON trigger_calls (created_at);

-- The outbox: everything an agent is told.
CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  agent_id TEXT NOT NULL,
  run_id TEXT REFERENCES runs (id) ON DELETE CASCADE,
  type TEXT NOT NULL,
  body TEXT NOT NULL,
  state TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  attempt_at INTEGER,
  expires_at INTEGER,
  attempts INTEGER NOT NULL,
  retry_reason TEXT NOT NULL,
  channel TEXT,
  settled_at INTEGER,
  error TEXT
);
CREATE INDEX events_waiting ON events (agent_id, seq)
  WHERE state IN ('held', 'pending', 'polled');
CREATE INDEX events_attempt ON events (attempt_at)
  WHERE state = 'pending' AND attempt_at IS NOT NULL;
-- Those that have to wait: retries, and what a person sends again.
CREATE INDEX events_release ON events (not_before)
  WHERE state = 'pending' AND not_before > created_at;
CREATE INDEX events_expiry ON events (expires_at)
  WHERE state IN ('held', 'pending') AND expires_at IS NOT NULL;
CREATE INDEX events_by_run ON events (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX events_feed ON events (agent_id, seq);

CREATE TABLE deliveries (
  id TEXT PRIMARY KEY,
  event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
  agent_id TEXT NOT NULL,
  run_id TEXT,
  channel TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  status INTEGER,
  latency_ms INTEGER NOT NULL,
  answer TEXT NOT NULL,
  error TEXT,
  created_at INTEGER NOT NULL
);
CREATE INDEX deliveries_by_event ON deliveries (event_id);
CREATE INDEX deliveries_by_agent ON deliveries (agent_id, created_at);

CREATE TABLE conversations (
  id TEXT PRIMARY KEY,
  agent_id TEXT NOT NULL REFERENCES agents (id),
  title TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX conversations_by_agent ON conversations (agent_id, created_at);

CREATE TABLE messages (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  conversation_id TEXT NOT NULL REFERENCES conversations (id),
  agent_id TEXT NOT NULL,
  author TEXT NOT NULL,
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  title TEXT,
  description TEXT,
  image_id TEXT,
  run_id TEXT,
  decision_id TEXT,
  reply_to_id TEXT,
  event_id TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
CREATE INDEX messages_by_conversation ON messages (conversation_id, seq);
CREATE INDEX messages_by_run ON messages (run_id) WHERE run_id IS NOT NULL;
-- A run has one bubble.
CREATE UNIQUE INDEX messages_one_bubble ON messages (run_id) WHERE kind = 'task';

CREATE TABLE images (
  id TEXT PRIMARY KEY,
  agent_id TEXT NOT NULL,
  media_type TEXT NOT NULL,
  data BLOB NOT NULL,
  created_at INTEGER NOT NULL
);

CREATE TABLE decisions (
  id TEXT PRIMARY KEY,
  agent_id TEXT NOT NULL REFERENCES agents (id),
  conversation_id TEXT NOT NULL,
  run_id TEXT,
  task_id TEXT,
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  description TEXT NOT NULL,
  options TEXT NOT NULL,
  allows_always BOOLEAN NOT NULL,
  always_allow_label TEXT,
  always_allow_options TEXT NOT NULL,
  proposal TEXT,
  status TEXT NOT NULL,
  note TEXT,
  always_allow BOOLEAN NOT NULL,
  always_allow_pattern TEXT,
  resolved_by TEXT,
  resolved_at INTEGER,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  warn_at INTEGER
);
CREATE INDEX decisions_by_agent ON decisions (agent_id, created_at);
CREATE INDEX decisions_open ON decisions (agent_id, expires_at) WHERE status = 'pending';
CREATE INDEX decisions_expiry ON decisions (expires_at) WHERE status = 'pending';
CREATE INDEX decisions_warn ON decisions (warn_at) WHERE status = 'pending' AND warn_at IS NOT NULL;
CREATE INDEX decisions_by_run ON decisions (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE activity (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  agent_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  text TEXT NOT NULL,
  task_id TEXT,
  run_id TEXT,
  created_at INTEGER NOT NULL
);
CREATE INDEX activity_by_agent ON activity (agent_id, seq);

CREATE TABLE login_failures (
  email TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX login_failures_by_email ON login_failures (email, created_at);
