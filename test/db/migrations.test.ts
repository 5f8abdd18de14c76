import Database from "better-sqlite3";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { conversationsTable } from "../../main/db/conversations.ts";
import { migrations } from "../../main/db/migrations.ts";
import { databaseVersion, newestVersion, openDatabase } from "../../main/db/open.ts";
import { turnsTable } from "../../main/db/turns.ts";

let folder = "";
let file = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-db-"));
  file = join(folder, "nullspace.db");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

// Rows put in at each version; they must read the same at every later one. Not those of tables that a later version takes
// apart (chats, by 8): a test of their own says what became of them.
const rowsAt: Record<number, { sql: string; tables: string[] }> = {
  1: {
    sql: `INSERT INTO folders VALUES (1, '/models', 5);
      INSERT INTO models VALUES ('/models/a', 1, 's', '{}', 5, 6);
      INSERT INTO settings VALUES ('theme', '"dark"');`,
    tables: ["folders", "models", "settings"],
  },
  2: {
    sql: `INSERT INTO owners VALUES ('o', 'host', 1, 7);
      INSERT INTO runs (id, name, kind, status, config, config_key, model_path, model_name, folder, created_ms)
        VALUES (1, 'first', 'full', 'done', '{}', 'k', '/models/a', 'a', '/runs/1', 7);
      INSERT INTO run_stages VALUES (1, 0, 'train', 'done', 7, 8, '/runs/1/adapter', '{}');
      INSERT INTO run_points VALUES (1, 1, 2.5, 0.001, NULL, 64, 99.5, 12.25);
      INSERT INTO checkpoints VALUES (1, 1, '/runs/1/checkpoints/1', 9);
      INSERT INTO run_notes VALUES (1, 1, 9, 'warning', NULL, 'text', NULL);
      INSERT INTO stage_outputs VALUES ('k', 'init', '/cache/k', 's', '{}', 10);`,
    tables: ["owners", "runs", "run_stages", "run_points", "checkpoints", "run_notes", "stage_outputs"],
  },
  3: {
    sql: `INSERT INTO probes (id, run_id, key, style, status, config, created_ms) VALUES (1, 1, 'k', 'task', 'done', '{}', 8);
      INSERT INTO probe_answers (probe_id, position, subject, question, accepted, prompt, answer, is_exact, is_contained, log_likelihood_nats)
        VALUES (1, 0, 'base', 'q', '[]', 'p', 'a', 1, 1, -0.5);`,
    tables: ["probes", "probe_answers"],
  },
  4: {
    sql: `INSERT INTO run_rows VALUES (1, '{}');
      INSERT INTO run_spans VALUES (1, 1, 'train', 7, 8);`,
    tables: ["run_rows", "run_spans"],
  },
  5: {
    sql: `INSERT INTO run_validations VALUES (1, 1, 2.25, 64, 1, 12.5);
      INSERT INTO run_memory VALUES (1, '{}', 7);`,
    tables: ["run_validations", "run_memory"],
  },
  6: {
    sql: `INSERT INTO probe_answers VALUES (1, 0, 'tuned', 'q', '[]', 'p', 'a', 1, 1, -0.5, '{"strict":1}', 'said');`,
    tables: ["probe_answers"],
  },
  7: {
    sql: `INSERT INTO run_retentions VALUES (1, 1, 0.97, 0.9, 1.02, -1.5, -1.55, 8, 7, 12, 1, 9.5);
      INSERT INTO probe_scores VALUES (1, '{}');`,
    tables: ["run_retentions", "probe_scores"],
  },
  8: {
    sql: `INSERT INTO conversations VALUES (1, 't', '/models/a', '[]', 'chat', NULL, 1, 5, 6);
      INSERT INTO turns VALUES (1, 1, NULL, 'p', '', '{}', '[0,1]', '[]', NULL, NULL, 'tie', 5);
      INSERT INTO votes VALUES (1, 1, 1, 'adapter', 'the base', 'tie', 7);`,
    tables: ["conversations", "turns", "votes"],
  },
};

function readAll(sql: Database.Database, tables: string[]): unknown[] {
  return tables.map((table) => sql.prepare(`SELECT * FROM ${table}`).all());
}

test("versions count up from 1 without a gap", () => {
  expect(migrations.map((migration) => migration.version)).toEqual(migrations.map((_, index) => index + 1));
});

test.each(migrations)("migration $version ($name) keeps every row that version before it held", ({ version }) => {
  const tables: string[] = [];
  const before = openDatabase(file, { upTo: version - 1 });
  expect(databaseVersion(before)).toBe(version - 1);
  for (let filled = 1; filled < version; filled++) {
    before.exec(rowsAt[filled]!.sql);
    tables.push(...rowsAt[filled]!.tables);
  }
  const rows = readAll(before, tables);
  before.close();

  const after = openDatabase(file, { upTo: version });
  expect(databaseVersion(after)).toBe(version);
  expect(readAll(after, tables)).toMatchObject(rows); // a new column may stand beside the old ones
  expect(after.pragma("foreign_key_check")).toEqual([]);
  expect(after.pragma("integrity_check", { simple: true })).toBe("ok");
  after.close();
});

test("saved answers of before become conversations of one turn, with their run where it is known", () => {
  const before = openDatabase(file, { upTo: 7 });
  before.exec(rowsAt[2]!.sql);
  before.exec("UPDATE runs SET adapter = '/runs/1/adapter'");
  const sampling = { temperature: 0.5, seed: 7 };
  const ask = (adapter: string, messages: object[]) => ({ model: "/models/a", columns: [{ label: "Base", adapter: null }, { label: "Tuned", adapter }], messages, template: "alpaca", sampling });
  const answers = [{ label: "Base", text: "four", tokens: 1, stopped: "eos" }, { label: "Tuned", text: "4 exactly", tokens: 2, stopped: "length" }];
  const insert = before.prepare("INSERT INTO chats VALUES (?, ?, ?, ?)");
  insert.run(4, 90, JSON.stringify(ask("/runs/1/adapter", [{ role: "system", content: "Be brief." }, { role: "user", content: "What is 2 + 2?" }])), JSON.stringify(answers));
  insert.run(5, 91, JSON.stringify(ask("/elsewhere", [{ role: "user", content: "x".repeat(200) }])), JSON.stringify(answers));
  insert.run(6, 92, "{}", "[]"); // nothing was asked: nothing is kept
  before.close();

  const sql = openDatabase(file);
  const [first, second, ...more] = conversationsTable(sql).list("", 10).toReversed();
  expect(more).toEqual([]);
  expect(first).toMatchObject({ id: 4, title: "What is 2 + 2?", modelPath: "/models/a", template: "alpaca", chatTemplate: null, isBlind: false, createdMs: 90, updatedMs: 90, turns: 1 });
  expect(first!.subjects).toEqual([{ kind: "base" }, { kind: "run", runId: 1, at: "adapter" }]);
  expect(second!.title).toBe("x".repeat(80));
  expect(second!.subjects).toEqual([{ kind: "base" }, { kind: "adapter", path: "/elsewhere" }]);
  const kept = answers.map(({ text, tokens, stopped }) => ({ text, ids: [], tokens, stopped }));
  expect(turnsTable(sql).list(4)).toMatchObject([{ conversationId: 4, parentId: null, prompt: "What is 2 + 2?", system: "Be brief.", sampling, places: [0, 1], answers: kept, verdict: null, createdMs: 90 }]);
  sql.close();
});

test("every table is STRICT", () => {
  const sql = openDatabase(file);
  const loose = sql.prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite%'").all();
  expect(loose).toEqual([]);
  sql.close();
});

test("a database of a newer app is refused with its version and left as it is", () => {
  const newer = new Database(file);
  newer.pragma(`user_version = ${newestVersion + 3}`);
  newer.close();
  expect(() => openDatabase(file)).toThrow(`version ${newestVersion + 3}`);
  const again = new Database(file);
  expect(databaseVersion(again)).toBe(newestVersion + 3);
  again.close();
});

test("a file that is no database is named, not overwritten", () => {
  writeFileSync(file, "this is a letter, and quite long enough to be looked at. ".repeat(20));
  expect(() => openDatabase(file)).toThrow(/not a Nullspace database/);
});

test("the database runs in WAL with foreign keys on", () => {
  const sql = openDatabase(file);
  expect(sql.pragma("journal_mode", { simple: true })).toBe("wal");
  expect(sql.pragma("foreign_keys", { simple: true })).toBe(1);
  sql.close();
});
