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
];
