// Files of one model repository over https, with resuming and checking.
// In: an endpoint that speaks the Hugging Face hub's addresses. Out: the files in a staging folder, each complete: size and,
// where the hub gives it, SHA-256 agree. A file that is half there is gone on with the next time.

import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, renameSync, statSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

export interface HubSource {
  endpoint: string;
  /** "owner/name" */
  repository: string;
  files: readonly string[];
}

export interface DownloadOptions {
  onBytes?: (doneBytes: number, totalBytes: number) => void;
  signal?: AbortSignal | undefined;
  /** For the first answer to a request. */
  answerLimitMs?: number;
  /** Between two pieces of a file. */
  stallLimitMs?: number;
}

interface RemoteFile {
  name: string;
  /** Address in the commit that the hub named. */
  url: string;
  sizeBytes: number;
  etag: string;
}

/** Fetches every file into `staging`. Throws an Error in plain words when the hub cannot be reached or does not deliver. */
export async function downloadFiles(source: HubSource, staging: string, options: DownloadOptions = {}): Promise<void> {
  const remote = await describeFiles(source, options);
  const totalBytes = remote.reduce((sum, file) => sum + file.sizeBytes, 0);
  mkdirSync(staging, { recursive: true });
  let earlierBytes = 0;
  for (const file of remote) {
    await downloadFile(file, staging, options, (bytes) => options.onBytes?.(earlierBytes + bytes, totalBytes));
    earlierBytes += file.sizeBytes;
    options.onBytes?.(earlierBytes, totalBytes);
  }
}

// All files are taken from the commit that the first answer names, so they belong together.
async function describeFiles(source: HubSource, options: DownloadOptions): Promise<RemoteFile[]> {
  let revision = "main";
  const remote: RemoteFile[] = [];
  const addressOf = (name: string): string => `${source.endpoint.replace(/\/+$/, "")}/${source.repository}/resolve/${revision}/${name}`;
  for (const name of source.files) {
    const url = addressOf(name);
    const answer = await request(url, { method: "HEAD", redirect: "manual" }, options);
    const isThere = answer.ok || (answer.status >= 300 && answer.status < 400);
    if (!isThere) throw new Error(`${url} answers ${answer.status}`);
    const sizeBytes = Number(answer.headers.get("x-linked-size") ?? answer.headers.get("content-length"));
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw new Error(`${url} does not say its size`);
    const etag = (answer.headers.get("x-linked-etag") ?? answer.headers.get("etag") ?? "").replace(/^W\//, "").replaceAll('"', "");
    const commit = answer.headers.get("x-repo-commit");
    if (commit !== null && /^[0-9a-f]{40}$/.test(commit)) revision = commit;
    remote.push({ name, url: addressOf(name), sizeBytes, etag });
  }
  return remote;
}

async function downloadFile(file: RemoteFile, staging: string, options: DownloadOptions, onBytes: (bytes: number) => void): Promise<void> {
  const place = join(staging, file.name);
  if (existsSync(place) && statSync(place).size === file.sizeBytes) return;
  mkdirSync(dirname(place), { recursive: true });
  const version = createHash("sha256").update(`${file.etag}\0${file.sizeBytes}`).digest("hex").slice(0, 16);
  const part = `${place}.${version}.part`;
  let doneBytes = existsSync(part) ? Math.min(statSync(part).size, file.sizeBytes) : 0;
  if (doneBytes < file.sizeBytes) {
    const stall = new AbortController();
    const signal = anySignal(stall.signal, options.signal);
    const headers = doneBytes > 0 ? { range: `bytes=${doneBytes}-` } : undefined;
    const answer = await request(file.url, { ...(headers === undefined ? {} : { headers }), signal }, options);
    if (!answer.ok || answer.body === null) throw new Error(`${file.url} answers ${answer.status}`);
    if (answer.status !== 206) doneBytes = 0; // the server does not resume: from the start again
    const handle = await open(part, doneBytes > 0 ? "r+" : "w");
    let timer: NodeJS.Timeout | undefined;
    const stillComing = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => stall.abort(new Error(`${file.url} stopped sending`)), options.stallLimitMs ?? 30_000);
    };
    try {
      stillComing();
      for await (const piece of answer.body) {
        stillComing();
        if (doneBytes + piece.byteLength > file.sizeBytes) throw new Error(`${file.url} sends more than the ${file.sizeBytes} bytes it announced`);
        await handle.write(piece, 0, piece.byteLength, doneBytes);
        doneBytes += piece.byteLength;
        onBytes(doneBytes);
      }
      await handle.truncate(doneBytes);
      await handle.sync();
    } finally {
      clearTimeout(timer);
      await handle.close();
    }
    if (doneBytes !== file.sizeBytes) throw new Error(`${file.url} ended after ${doneBytes} of ${file.sizeBytes} bytes`);
  }
  if (/^[0-9a-f]{64}$/.test(file.etag) && (await sha256Of(part)) !== file.etag) {
    await rm(part, { force: true });
    throw new Error(`${file.url} arrived damaged: its SHA-256 is not ${file.etag}`);
  }
  renameSync(part, place);
}

/** fetch with a limit for the first answer and errors in words. */
async function request(url: string, init: RequestInit, options: DownloadOptions): Promise<Response> {
  const limitMs = options.answerLimitMs ?? 5_000;
  const slow = new AbortController();
  const timer = setTimeout(() => slow.abort(new Error(`no answer within ${limitMs / 1000} s`)), limitMs);
  try {
    return await fetch(url, { ...init, signal: anySignal(slow.signal, init.signal ?? undefined, options.signal) });
  } catch (cause) {
    options.signal?.throwIfAborted();
    const inner = (cause as { cause?: { message?: string; code?: string } }).cause;
    const reason = inner?.code ?? inner?.message ?? (cause instanceof Error ? cause.message : String(cause));
    throw new Error(`${new URL(url).host} cannot be reached: ${reason}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}

function anySignal(...signals: (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined));
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer);
  return hash.digest("hex");
}
