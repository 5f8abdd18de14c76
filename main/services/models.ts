// Models in watched folders. A scan walks folder names, opens the headers of what is new or changed only, and lets other
// work go between two models. chokidar says when to look again.

import { readdirSync, statSync } from "node:fs";
import { opendir } from "node:fs/promises";
import { basename, join, sep } from "node:path";
import { watch, type FSWatcher } from "chokidar";
import { UserError } from "../../native-models/errors.ts";
import type { ModelRow } from "../db/models.ts";
import type { Deps } from "./deps.ts";
import { absolute, requireThere } from "./paths.ts";
import type { ModelSummary, ModelsView, WatchedFolder } from "./shapes/models.ts";

/** Folder levels below a watched folder where models are looked for. */
const depth = 6;
const settleMs = 500;
const skipped = new Set(["node_modules", "blobs"]);

type Summary = Omit<ModelSummary, "folderId" | "firstSeenMs" | "lastSeenMs">;

export function modelsService({ store, readers, changes, now, log }: Pick<Deps, "store" | "readers" | "changes" | "now" | "log">) {
  const watchers = new Map<number, FSWatcher>();
  const dirty = new Set<number>();
  let followers = 0;
  let scanning: Promise<void> | null = null;
  let timer: NodeJS.Timeout | null = null;

  function describe(path: string): Summary {
    const description = readers.describeFolder(path);
    const nothing = { modelType: null, parameters: null, sizeBytes: null, dtype: null, layers: null, hidden: null, vocabulary: null, contextTokens: null, fingerprint: null };
    const name = basename(path);
    if (!description.isUsable) return { path, name, ...nothing, hasChatTemplate: false, problem: description.problem };
    const { config, dtypes, parameters, sizeBytes, fingerprint } = description;
    return {
      path, name, modelType: config.modelType, parameters, sizeBytes, fingerprint, problem: null,
      dtype: dtypes.length === 1 ? dtypes[0]! : "mixed",
      layers: config.layers, hidden: config.hidden, vocabulary: config.vocabulary, contextTokens: config.maxPositions,
      hasChatTemplate: readers.hasChatTemplate(path),
    };
  }

  /** A broken template makes a model unusable, too: the list shows it with its problem. */
  function describeSafely(path: string): Summary {
    try {
      return describe(path);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return { path, name: basename(path), modelType: null, parameters: null, sizeBytes: null, dtype: null, layers: null, hidden: null, vocabulary: null, contextTokens: null, fingerprint: null, hasChatTemplate: false, problem: error.parts };
    }
  }

  /** Rows of all models below `root`, from the store where the folder's files are as they were. */
  async function look(root: string, folderId: number | null): Promise<ModelRow[]> {
    const rows: ModelRow[] = [];
    for await (const path of modelFolders(root, readers.looksLikeModel)) {
      const stamp = stampOf(path);
      if (stamp === null) continue; // gone between the walk and the look
      const known = store.models.find(path);
      const isSame = known !== null && known.stamp === stamp;
      const summary = isSame ? known.summary : JSON.stringify(describeSafely(path));
      rows.push({ path, folderId, stamp, summary, firstSeenMs: known?.firstSeenMs ?? now(), lastSeenMs: now() });
      await new Promise((resolve) => setImmediate(resolve));
    }
    return rows;
  }

  async function scanFolder(id: number): Promise<void> {
    const folder = store.folders.list().find((row) => row.id === id);
    if (folder === undefined) return;
    const rows = await look(folder.path, id);
    if (!store.folders.list().some((row) => row.id === id)) return; // removed meanwhile
    const present = new Set(rows.map((row) => row.path));
    const gone = store.models.list().filter((row) => row.folderId === id && !present.has(row.path)).map((row) => row.path);
    store.together(() => {
      store.models.putAll(rows);
      store.models.removeAll(gone);
    });
  }

  /** Scans the dirty folders, one scan at a time. */
  function scan(): Promise<void> {
    scanning ??= (async () => {
      changes.touch();
      try {
        for (let id = first(dirty); id !== null; id = first(dirty)) {
          dirty.delete(id);
          await scanFolder(id);
          changes.touch();
        }
      } finally {
        scanning = null;
        changes.touch();
      }
    })();
    return scanning;
  }

  function scanSoon(id: number): void {
    dirty.add(id);
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(() => {
      timer = null;
      scan().catch((error: unknown) => log(`scan: ${String(error)}\n`));
    }, settleMs);
  }

  function watchFolders(): void {
    const folders = store.folders.list();
    for (const { id, path } of folders) {
      if (watchers.has(id)) continue;
      const watcher = watch(path, { depth, ignoreInitial: true, ignored: (name) => isSkipped(name, path), ignorePermissionErrors: true });
      watcher.on("all", () => scanSoon(id));
      watcher.on("error", (error) => log(`watching ${path}: ${String(error)}\n`));
      watchers.set(id, watcher);
      dirty.add(id);
    }
    for (const [id, watcher] of watchers) {
      if (folders.some((folder) => folder.id === id)) continue;
      watchers.delete(id);
      void watcher.close();
    }
    if (dirty.size > 0) scan().catch((error: unknown) => log(`scan: ${String(error)}\n`));
  }

  async function unwatchAll(): Promise<void> {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    const all = [...watchers.values()];
    watchers.clear();
    await Promise.all(all.map((watcher) => watcher.close()));
  }

  function view(): ModelsView {
    const folders = store.folders.list().map((row) => ({ ...row, isThere: isFolder(row.path) }));
    return { folders, models: store.models.list().map(toSummary), isScanning: scanning !== null };
  }

  return {
    /** Models below `dir`, without remembering them. */
    async scan(dir: string): Promise<ModelSummary[]> {
      const root = absolute(dir);
      requireThere(root, "models.scan: dir");
      return (await look(root, null)).map(toSummary);
    },

    async list(): Promise<ModelsView> {
      store.folders.list().forEach(({ id }) => dirty.add(id));
      await scan();
      return view();
    },

    async addFolder(path: string): Promise<WatchedFolder> {
      const folder = absolute(path);
      requireThere(folder, "models.addFolder: path");
      if (!isFolder(folder)) throw new UserError({ what: `${folder} is not a folder.`, where: "models.addFolder: path", fix: "Choose a folder." });
      const row = store.folders.add(folder, now());
      if (followers > 0) watchFolders();
      dirty.add(row.id);
      await scan();
      return { ...row, isThere: true };
    },

    async removeFolder(id: number): Promise<void> {
      if (!store.folders.remove(id)) throw new UserError({ what: `There is no folder ${id}.`, where: "models.removeFolder: id", fix: "models.list shows those that are there." });
      await watchers.get(id)?.close();
      watchers.delete(id);
      changes.touch();
    },

    async *follow(signal?: AbortSignal): AsyncGenerator<ModelsView> {
      followers++;
      let shown = "";
      try {
        for await (const _ of changes.follow(signal)) {
          watchFolders(); // a folder may have been added by another process
          const now = view();
          const text = JSON.stringify(now);
          if (text !== shown) yield now;
          shown = text;
        }
      } finally {
        if (--followers === 0) await unwatchAll();
      }
    },

    close: unwatchAll,
  };
}

function toSummary(row: ModelRow): ModelSummary {
  const { folderId, firstSeenMs, lastSeenMs } = row;
  return { ...(JSON.parse(row.summary) as Summary), folderId, firstSeenMs, lastSeenMs };
}

/** Model folders at and below `root`; what may not be opened is passed over. */
async function* modelFolders(root: string, looksLikeModel: (path: string) => boolean): AsyncGenerator<string> {
  const pending = [{ path: root, level: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (looksLikeModel(next.path)) {
      yield next.path;
      continue;
    }
    if (next.level === depth) continue;
    try {
      for await (const entry of await opendir(next.path)) {
        const path = join(next.path, entry.name);
        if (skipped.has(entry.name) || entry.name.startsWith(".")) continue;
        // Links are followed to folders: Hugging Face's cache is made of links, and the depth ends any loop.
        if (entry.isDirectory() || (entry.isSymbolicLink() && isFolder(path))) pending.push({ path, level: next.level + 1 });
      }
    } catch (error) {
      if (!isPassable(error)) throw error;
    }
  }
}

function isPassable(error: unknown): boolean {
  return ["EACCES", "EPERM", "ENOENT", "ENOTDIR", "ELOOP"].includes((error as NodeJS.ErrnoException).code ?? "");
}

function isSkipped(name: string, root: string): boolean {
  return name.slice(root.length).split(sep).some((part) => skipped.has(part) || (part.startsWith(".") && part !== "."));
}

/** Names, sizes and times of a model folder's own files; null when it is gone. */
function stampOf(folder: string): string | null {
  try {
    return readdirSync(folder)
      .sort()
      .map((name) => {
        const stat = statSync(join(folder, name), { throwIfNoEntry: false });
        return `${name} ${stat?.size ?? 0} ${stat?.mtimeMs ?? 0}`;
      })
      .join("\n");
  } catch (error) {
    if (isPassable(error)) return null;
    throw error;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function first<T>(set: ReadonlySet<T>): T | null {
  for (const value of set) return value;
  return null;
}
