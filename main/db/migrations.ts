// How the database came to its shape: an append-only list. A released entry is never edited; each has a test that
// fills version n−1, migrates and compares. PRAGMA user_version holds the version that a file has reached.

export interface Migration {
  version: number;
  name: string;
  sql: string;
}

const states = "('queued', 'running', 'done', 'failed', 'cancelled', 'interrupted')";

export const migrations: readonly Migration[] = [
  {
    version: 1,
    name: "folders, models, settings",
    sql: `
      CREATE TABLE folders (
        id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, added_ms INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE models (
        path TEXT PRIMARY KEY, folder_id INTEGER REFERENCES folders ON DELETE CASCADE,
        stamp TEXT NOT NULL, summary TEXT NOT NULL, first_seen_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX models_folder ON models (folder_id);
      CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    `,
  },
  {
    version: 2,
    name: "runs with their stages, points, checkpoints and notes",
    sql: `
      CREATE TABLE owners (
        owner TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, heartbeat_ms INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('full', 'train')),
        status TEXT NOT NULL CHECK (status IN ${states}),
        stage TEXT, config TEXT NOT NULL, config_key TEXT NOT NULL, model_path TEXT NOT NULL, model_name TEXT NOT NULL,
        folder TEXT NOT NULL UNIQUE, adapter TEXT, progress TEXT,
        cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
        owner TEXT, created_ms INTEGER NOT NULL, started_ms INTEGER, ended_ms INTEGER, error TEXT
      ) STRICT;
      CREATE INDEX runs_status ON runs (status);
      CREATE INDEX runs_config ON runs (config_key);
      CREATE TABLE run_stages (
        run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, position INTEGER NOT NULL, stage TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('waiting', 'running', 'done', 'reused', 'failed', 'cancelled', 'interrupted')),
        started_ms INTEGER, ended_ms INTEGER, output TEXT, result TEXT,
        PRIMARY KEY (run_id, stage)
      ) STRICT;
      CREATE TABLE run_points (
        run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, step INTEGER NOT NULL,
        loss_nats REAL, learning_rate REAL NOT NULL, grad_norm REAL, tokens INTEGER NOT NULL,
        tokens_per_second REAL NOT NULL, elapsed_ms REAL NOT NULL,
        UNIQUE (run_id, step)
      ) STRICT;
      CREATE TABLE checkpoints (
        run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, step INTEGER NOT NULL, path TEXT NOT NULL,
        written_ms INTEGER NOT NULL, UNIQUE (run_id, step)
      ) STRICT;
      CREATE TABLE run_notes (
        id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, at_ms INTEGER NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('warning', 'resumed', 'interrupted', 'reused')),
        step INTEGER, text TEXT NOT NULL, warning TEXT
      ) STRICT;
      CREATE INDEX run_notes_run ON run_notes (run_id, id);
      CREATE TABLE stage_outputs (
        key TEXT PRIMARY KEY, stage TEXT NOT NULL, path TEXT NOT NULL, stamp TEXT NOT NULL, result TEXT NOT NULL,
        created_ms INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX stage_outputs_path ON stage_outputs (path);
    `,
  },
  {
    version: 3,
    name: "probes with their answers, chats",
    sql: `
      CREATE TABLE probes (
        id INTEGER PRIMARY KEY AUTOINCREMENT, run_id INTEGER REFERENCES runs ON DELETE CASCADE, key TEXT NOT NULL,
        style TEXT NOT NULL CHECK (style IN ('knowledge', 'task')),
        status TEXT NOT NULL CHECK (status IN ${states}),
        config TEXT NOT NULL, progress TEXT, result TEXT,
        cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
        owner TEXT, created_ms INTEGER NOT NULL, ended_ms INTEGER, error TEXT
      ) STRICT;
      CREATE INDEX probes_run ON probes (run_id);
      CREATE INDEX probes_key ON probes (key);
      CREATE TABLE probe_answers (
        probe_id INTEGER NOT NULL REFERENCES probes ON DELETE CASCADE, position INTEGER NOT NULL,
        subject TEXT NOT NULL CHECK (subject IN ('base', 'tuned')),
        question TEXT NOT NULL, accepted TEXT NOT NULL, prompt TEXT NOT NULL, answer TEXT NOT NULL,
        is_exact INTEGER NOT NULL CHECK (is_exact IN (0, 1)), is_contained INTEGER NOT NULL CHECK (is_contained IN (0, 1)),
        log_likelihood_nats REAL,
        UNIQUE (probe_id, position, subject)
      ) STRICT;
      CREATE TABLE chats (
        id INTEGER PRIMARY KEY, created_ms INTEGER NOT NULL, ask TEXT NOT NULL, answers TEXT NOT NULL
      ) STRICT;
    `,
  },
  {
    version: 4,
    name: "what became of a run's rows, spans of work",
    sql: `
      CREATE TABLE run_rows (
        run_id INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE, report TEXT NOT NULL
      ) STRICT;
      CREATE TABLE run_spans (
        id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, stage TEXT NOT NULL,
        started_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX run_spans_run ON run_spans (run_id);
    `,
  },
  {
    version: 5,
    name: "validation losses and memory of runs",
    sql: `
      CREATE TABLE run_validations (
        run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, step INTEGER NOT NULL, loss_nats REAL NOT NULL,
        trained_tokens INTEGER NOT NULL, is_best INTEGER NOT NULL CHECK (is_best IN (0, 1)), elapsed_ms REAL NOT NULL,
        UNIQUE (run_id, step)
      ) STRICT;
      CREATE TABLE run_memory (
        run_id INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE, estimate TEXT NOT NULL, measured_bytes INTEGER
      ) STRICT;
    `,
  },
  {
    version: 6,
    name: "further measures and verdicts of probe answers",
    sql: `
      ALTER TABLE probe_answers ADD COLUMN measures TEXT;
      ALTER TABLE probe_answers ADD COLUMN verdict TEXT;
    `,
  },
  {
    version: 7,
    name: "retention of runs while they train, scores of probes",
    sql: `
      CREATE TABLE run_retentions (
        run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, step INTEGER NOT NULL, retention REAL NOT NULL,
        low REAL NOT NULL, high REAL NOT NULL, base_nats REAL NOT NULL, nats REAL NOT NULL,
        exact_base INTEGER, exact_now INTEGER, questions INTEGER NOT NULL,
        is_above INTEGER NOT NULL CHECK (is_above IN (0, 1)), elapsed_ms REAL NOT NULL,
        UNIQUE (run_id, step)
      ) STRICT;
      CREATE TABLE probe_scores (
        probe_id INTEGER PRIMARY KEY REFERENCES probes ON DELETE CASCADE, scores TEXT NOT NULL
      ) STRICT;
    `,
  },
  {
    version: 8,
    name: "conversations of several turns, votes; single answers become conversations of one turn",
    sql: `
      CREATE TABLE conversations (
        id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, model_path TEXT NOT NULL, subjects TEXT NOT NULL,
        template TEXT NOT NULL CHECK (template IN ('chat', 'alpaca', 'none')), chat_template TEXT,
        is_blind INTEGER NOT NULL CHECK (is_blind IN (0, 1)), created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE turns (
        id INTEGER PRIMARY KEY AUTOINCREMENT, conversation_id INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
        parent_id INTEGER REFERENCES turns ON DELETE CASCADE, prompt TEXT NOT NULL, system TEXT NOT NULL,
        sampling TEXT NOT NULL, places TEXT NOT NULL, answers TEXT NOT NULL, tokens_per_second REAL, surprise TEXT,
        verdict TEXT CHECK (verdict IN ('left', 'right', 'tie', 'both-bad')), created_ms INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX turns_conversation ON turns (conversation_id);
      CREATE INDEX turns_parent ON turns (parent_id);
      CREATE TABLE votes (
        id INTEGER PRIMARY KEY, turn_id INTEGER NOT NULL, run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
        own TEXT NOT NULL, rival TEXT NOT NULL, outcome TEXT NOT NULL CHECK (outcome IN ('won', 'lost', 'tie', 'both-bad')),
        voted_ms INTEGER NOT NULL, UNIQUE (turn_id, run_id, own)
      ) STRICT;
      CREATE INDEX votes_run ON votes (run_id);

      INSERT INTO conversations
        SELECT id, substr(prompt, 1, 80), json_extract(ask, '$.model'),
          (SELECT json_group_array(json(CASE
              WHEN json_extract(value, '$.adapter') IS NULL THEN json_object('kind', 'base')
              WHEN runs.id IS NULL THEN json_object('kind', 'adapter', 'path', json_extract(value, '$.adapter'))
              ELSE json_object('kind', 'run', 'runId', runs.id, 'at', 'adapter') END))
            FROM json_each(ask, '$.columns') LEFT JOIN runs ON runs.adapter = json_extract(value, '$.adapter')),
          coalesce(nullif(json_extract(ask, '$.template'), 'auto'), 'chat'), NULL, 0, created_ms, created_ms
        FROM (SELECT *, (SELECT json_extract(value, '$.content') FROM json_each(ask, '$.messages')
          WHERE json_extract(value, '$.role') = 'user' ORDER BY key DESC LIMIT 1) AS prompt FROM chats)
        WHERE prompt IS NOT NULL;
      INSERT INTO turns (conversation_id, prompt, system, sampling, places, answers, created_ms)
        SELECT id, (SELECT json_extract(value, '$.content') FROM json_each(ask, '$.messages')
            WHERE json_extract(value, '$.role') = 'user' ORDER BY key DESC LIMIT 1),
          coalesce((SELECT json_extract(value, '$.content') FROM json_each(ask, '$.messages')
            WHERE json_extract(value, '$.role') = 'system' LIMIT 1), ''),
          json_extract(ask, '$.sampling'), (SELECT json_group_array(key) FROM json_each(ask, '$.columns')),
          (SELECT json_group_array(json_object('text', json_extract(value, '$.text'), 'ids', json('[]'),
            'tokens', json_extract(value, '$.tokens'), 'stopped', json_extract(value, '$.stopped'))) FROM json_each(answers)),
          created_ms
        FROM chats WHERE id IN (SELECT id FROM conversations);
      DROP TABLE chats;
    `,
  },
  {
    version: 9,
    name: "answers of the base that are asked once",
    sql: `
      ALTER TABLE probes ADD COLUMN base_key TEXT;
      ALTER TABLE probes ADD COLUMN base_from TEXT;
      CREATE INDEX probes_base ON probes (base_key);
      CREATE TABLE retention_bases (
        key TEXT NOT NULL, way TEXT NOT NULL CHECK (way IN ('forward', 'gradients')), likelihoods TEXT NOT NULL,
        run_id INTEGER NOT NULL, measured_ms INTEGER NOT NULL,
        UNIQUE (key, way)
      ) STRICT;
    `,
  },
];
