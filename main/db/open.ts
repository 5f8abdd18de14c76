// Opens the database file: WAL, foreign keys, a wait when another process writes, migrations up to date.
// A file from a newer version of the app is refused with its version and left as it is.

import Database from "better-sqlite3";
import { UserError } from "../../native-models/errors.ts";
import { migrations } from "./migrations.ts";

export type Sql = Database.Database;

export const newestVersion = migrations[migrations.length - 1]!.version;

/** Opens (and makes) the database at `file`. Two processes may hold it open at once. */
export function openDatabase(file: string, options: { upTo?: number } = {}): Sql {
  let sql: Sql;
  try {
    sql = new Database(file, { timeout: 10_000 });
  } catch (cause) {
    throw new UserError(
      {
        what: `The database cannot be opened: ${(cause as Error).message}.`,
        where: file,
        fix: "Check that the folder exists and can be written, or set NULLSPACE_HOME to another folder.",
      },
      { cause },
    );
  }
  try {
    sql.pragma("journal_mode = WAL");
    sql.pragma("synchronous = NORMAL");
    sql.pragma("foreign_keys = ON");
    migrate(sql, file, options.upTo ?? newestVersion);
    return sql;
  } catch (error) {
    sql.close();
    if (error instanceof Database.SqliteError && error.code === "SQLITE_NOTADB") {
      throw new UserError(
        {
          what: "This file is not a Nullspace database.",
          where: file,
          fix: "Move the file away, or set NULLSPACE_HOME to another folder.",
        },
        { cause: error },
      );
    }
    throw error;
  }
}

/** The version that the file has reached. */
export function databaseVersion(sql: Sql): number {
  return sql.pragma("user_version", { simple: true }) as number;
}

function migrate(sql: Sql, file: string, upTo: number): void {
  // Immediate: of two processes that open an old file at once, the second waits and then finds nothing to do.
  const step = sql.transaction(() => {
    const version = databaseVersion(sql);
    if (version > newestVersion) {
      throw new UserError({
        what: `The database has version ${version}; this Nullspace knows versions up to ${newestVersion}.`,
        where: file,
        fix: "Start the newer Nullspace that wrote it, or set NULLSPACE_HOME to another folder.",
      });
    }
    for (const migration of migrations) {
      if (migration.version <= version || migration.version > upTo) continue;
      sql.exec(migration.sql);
      sql.pragma(`user_version = ${migration.version}`);
    }
  });
  step.immediate();
}
