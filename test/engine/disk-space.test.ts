// A disk that is full, before a run and in the middle of one. Only the free space that the system reports is made up.

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { UserError } from "../../native-models/errors.ts";
import { tinyRun, train, type TinyRun } from "../support/tiny-run.ts";

const disk = vi.hoisted(() => ({ freeBytes: null as number | null }));
vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  return { ...fs, statfsSync: (path: string) => (disk.freeBytes === null ? fs.statfsSync(path) : { bavail: disk.freeBytes, bsize: 1 }) };
});

let folder: string;
let run: TinyRun;
let lora: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-disk-"));
  run = tinyRun(folder);
  lora = await run.start("lora");
});
afterEach(() => void (disk.freeBytes = null));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a run that the disk has no room for is refused before its first step", async () => {
  disk.freeBytes = 1e6;
  const job = run.job("full", lora);
  const error = await train(job).then(() => null, (reason: unknown) => reason);
  expect(error).toBeInstanceOf(UserError);
  expect((error as UserError).what).toMatch(/MB are needed, but the disk has 1 MB free/);
  expect((error as UserError).where).toBe(job.out);
});

test("a disk that fills up in mid-run stops it with its last checkpoint whole; with room again it goes on and ends the same", async () => {
  const job = run.job("fills", lora);
  const started = train(job, { onEvent: (event) => { if (event.type === "checkpoint" && event.step === 4) disk.freeBytes = 1e6; } });
  const error = await started.then(() => null, (reason: unknown) => reason);
  expect(error).toBeInstanceOf(UserError);
  expect((error as UserError).what).toContain("the disk has 1 MB free");
  expect(readdirSync(join(job.out, "checkpoints")).sort()).toEqual(["step-00000002.safetensors", "step-00000004.safetensors"]);
  disk.freeBytes = null;
  const { events } = await train({ ...job, resume: true });
  expect(events.find((event) => event.type === "resumed")).toMatchObject({ step: 4 });
});
