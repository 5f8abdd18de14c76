// Files, the cache, settings and the system as services give them back.

import type { cacheKinds } from "../params/app.ts";
import type { RunSettings } from "../params/runs.ts";

export interface FileEntry {
  name: string;
  path: string;
  /** model: a folder with a config.json · data: .jsonl .json .csv .parquet .gz .txt */
  kind: "folder" | "model" | "data";
  sizeBytes: number | null;
  modifiedMs: number;
}

export interface FileListing {
  dir: string;
  parent: string | null;
  /** Home, drives, the samples and the watched folders. */
  places: { name: string; path: string }[];
  entries: FileEntry[];
  /** More entries were there than are listed. */
  isCut: boolean;
}

export type CacheKind = (typeof cacheKinds)[number];

/** What the cache holds of one kind. */
export interface CacheUse {
  kind: CacheKind;
  about: string;
  entries: number;
  bytes: number;
  /** Runs and probes at work that may read it: it is not cleared meanwhile. */
  readBy: string[];
}

export interface CacheView {
  folder: string;
  kinds: CacheUse[];
}

export interface AppSettings {
  theme: "system" | "light" | "dark";
  /** Settings of the last run that was started: the next form opens with them. */
  lastRun: RunSettings | null;
}

export interface SystemInfo {
  version: string;
  node: string;
  platform: string;
  arch: string;
  cpus: number;
  cpuName: string;
  memoryBytes: number;
  freeMemoryBytes: number;
  /** The store: database, runs and caches. */
  home: string;
  /** The samples shipped with the app. */
  samples: { name: string; path: string }[];
}
