// Bytes in and out of files: one range read at a time, and files that appear under their name only when whole.
// In: paths and offsets. Out: byte arrays, or UserErrors that name the file.

import {
  closeSync, existsSync, fstatSync, fsyncSync, mkdirSync, openSync, readFileSync, readSync, renameSync, rmSync, statfsSync,
  statSync, writeSync,
} from "node:fs";
import { randomBytes } from "node:crypto";
import { dirname, resolve } from "node:path";
import { UserError } from "../errors.ts";

const largestReadBytes = 1 << 30; // one read call takes less than 2^31 bytes

/** Opens `file`, passes its descriptor and size to `use`, closes it whatever happens. */
export function withFile<T>(file: string, use: (fd: number, sizeBytes: number) => T): T {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch (cause) {
    throw unreadable(file, cause);
  }
  try {
    const info = fstatSync(fd);
    if (!info.isFile()) throw unreadable(file, new Error("it is not a file"));
    return use(fd, info.size);
  } finally {
    closeSync(fd);
  }
}

/** Fills `into` from `offset` of an open file; a file that ends before is a UserError. */
export function readFully(fd: number, into: Uint8Array, offset: number, file: string): void {
  let done = 0;
  while (done < into.byteLength) {
    const want = Math.min(largestReadBytes, into.byteLength - done);
    let got: number;
    try {
      got = readSync(fd, into, done, want, offset + done);
    } catch (cause) {
      throw unreadable(file, cause);
    }
    if (got === 0) {
      throw new UserError({
        what: `The file ends after ${offset + done} bytes, but ${offset + into.byteLength} are needed.`,
        where: file,
        fix: "It was cut short or changed while in use: copy or download it again.",
      });
    }
    done += got;
  }
}

/** Writes all of `bytes` at `offset`. */
export function writeFully(fd: number, bytes: Uint8Array, offset: number, file: string): void {
  let done = 0;
  while (done < bytes.byteLength) {
    const want = Math.min(largestReadBytes, bytes.byteLength - done);
    try {
      done += writeSync(fd, bytes, done, want, offset + done);
    } catch (cause) {
      throw unwritable(file, cause);
    }
  }
}

/** A text file of at most `limitBytes`, or null where there is none. */
export function readTextFile(file: string, limitBytes: number): string | null {
  let sizeBytes: number;
  try {
    const info = statSync(file);
    if (!info.isFile()) return null;
    sizeBytes = info.size;
  } catch (cause) {
    if (isMissing(cause)) return null;
    throw unreadable(file, cause);
  }
  if (sizeBytes > limitBytes) {
    throw new UserError({
      what: `The file has ${sizeBytes} bytes; at most ${limitBytes} make sense for it.`,
      where: file,
      fix: "Check that it is the file its name says; download the model again if it is not.",
    });
  }
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

/** A JSON object file, or null where there is none. */
export function readJsonFile(file: string, limitBytes: number): Record<string, unknown> | null {
  const text = readTextFile(file, limitBytes);
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new UserError(
      { what: `It is not valid JSON: ${messageOf(cause)}.`, where: file, fix: "Download or write this file again." },
      { cause },
    );
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UserError({ what: "It holds no JSON object.", where: file, fix: "Download or write this file again." });
  }
  return value as Record<string, unknown>;
}

/** A name beside `file` for writing before the rename. */
export function partialName(file: string): string {
  return `${file}.${process.pid}-${randomBytes(4).toString("hex")}.partial`;
}

/** Writes a whole small file beside its place and renames it. */
export function writeFileWhole(file: string, content: string | Uint8Array): void {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const partial = partialName(file);
  try {
    mkdirSync(dirname(file), { recursive: true });
    const fd = openSync(partial, "wx");
    try {
      writeFully(fd, bytes, 0, file);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(partial, file);
  } catch (cause) {
    rmSync(partial, { force: true });
    if (cause instanceof UserError) throw cause;
    throw unwritable(file, cause);
  }
}

/** Refuses when the disk that holds `folder` (which may not exist yet) has less than `bytes` free. */
export function requireFreeSpace(folder: string, bytes: number): void {
  let existing = resolve(folder);
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  const disk = statfsSync(existing);
  const freeBytes = disk.bavail * disk.bsize;
  const neededBytes = bytes + 16 * 1024 * 1024; // a little is left for everything else
  if (freeBytes < neededBytes) {
    throw new UserError({
      what: `${megabytes(neededBytes)} MB are needed, but the disk has ${megabytes(freeBytes)} MB free.`,
      where: folder,
      fix: "Free some space or choose a folder on another disk.",
    });
  }
}

export function unwritable(file: string, cause: unknown): UserError {
  return new UserError(
    { what: `The file cannot be written: ${messageOf(cause)}.`, where: file, fix: "Check the folder's permissions and the free space." },
    { cause },
  );
}

function unreadable(file: string, cause: unknown): UserError {
  return new UserError(
    { what: `The file cannot be read: ${messageOf(cause)}.`, where: file, fix: "Check that it exists and that you may read it." },
    { cause },
  );
}

function isMissing(cause: unknown): boolean {
  const code = (cause as { code?: unknown } | null)?.code;
  return code === "ENOENT" || code === "ENOTDIR";
}

export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function megabytes(bytes: number): number {
  return Math.ceil(bytes / 1e6);
}
