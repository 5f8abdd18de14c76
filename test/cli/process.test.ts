// The command line as real processes: signals, kills, two processes on one store. Jobs are fakes, the model is a tiny one.

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { jobsModule } from "../services/fake-app.ts";
import { writeTinyModel } from "../support/tiny-model.ts";

const bin = fileURLToPath(new URL("../../bin/nullspace.mjs", import.meta.url));
const started: ChildProcess[] = [];
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-cli-"));
  for (const name of ["plain", "slow"]) writeTinyModel(join(folder, name));
  writeFileSync(join(folder, "questions.jsonl"), '{"question": "what is up", "answer": ["the sky"]}\n');
  writeFileSync(join(folder, "rows.jsonl"), '{"query": "1 + 1", "response": "2"}\n');
});
afterEach(() => {
  for (const child of started.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

interface Running {
  child: ChildProcess;
  stderr: () => string;
  ended: Promise<{ code: number | null; signal: string | null; stdout: string; stderr: string }>;
}

function cli(args: string[], node = process.execPath): Running {
  const env = { ...process.env, NULLSPACE_HOME: join(folder, "home"), NULLSPACE_ENGINE_JOBS: jobsModule };
  const child = spawn(node, [bin, ...args], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  started.push(child);
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<Awaited<Running["ended"]>>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, stderr: () => stderr, ended };
}

const runArgs = (model: string, steps: number) => [
  "run", "--model", model, "--questions", "questions.jsonl", "--data", "rows.jsonl", "--samples", "3", "--rank", "4", "--steps", String(steps), "--json",
];

interface Shown {
  status: string;
  lastStep: number;
  lastCheckpointStep: number | null;
  error: { fix: string } | null;
  notes: { kind: string; text: string }[];
}

async function show(id = 1): Promise<Shown | null> {
  const { code, stdout } = await cli(["runs", "show", String(id), "--json"]).ended;
  return code === 0 ? (JSON.parse(stdout) as { run: Shown }).run : null;
}

async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`Waited too long until ${what}`);
}

/** Processes whose command line names our engine entry and that belong to this test's store. */
function engines(): number[] {
  if (!existsSync("/proc/self")) return [];
  const pids = execFileSync("ls", ["/proc"], { encoding: "utf8" }).split("\n").filter((name) => /^\d+$/.test(name)).map(Number);
  return pids.filter((pid) => {
    try {
      const isEngine = readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("engine/child.ts");
      return isEngine && readFileSync(`/proc/${pid}/environ`, "utf8").includes(`NULLSPACE_HOME=${join(folder, "home")}`);
    } catch {
      return false; // gone meanwhile
    }
  });
}

test("killing the command in mid-training loses nothing before the last checkpoint, and the same command goes on", async () => {
  const first = cli(runArgs("slow", 120));
  await until(async () => ((await show())?.lastCheckpointStep ?? 0) >= 25, "there is a checkpoint");
  first.child.kill("SIGKILL");
  await first.ended;

  const left = await show();
  expect(left).toMatchObject({ status: "interrupted" });
  expect(left!.error!.fix).toContain(`step ${left!.lastCheckpointStep}`);
  await until(() => engines().length === 0, "the engine process is gone, too");

  const { code, stdout } = await cli(runArgs("slow", 120)).ended;
  expect(code).toBe(0);
  const { run } = JSON.parse(stdout) as { run: Shown & { id: number } };
  expect(run).toMatchObject({ id: 1, status: "done", lastStep: 120 });
  expect(run.notes.map((note) => note.kind)).toEqual(["warning", "interrupted", "resumed", "warning"]);
});

test("a run of one process is cancelled by another", async () => {
  const owner = cli(runArgs("slow", 5000));
  await until(async () => ((await show())?.lastStep ?? 0) > 0, "training is under way");
  const cancel = await cli(["runs", "cancel", "1", "--json"]).ended;
  expect(cancel.code).toBe(0);
  expect(JSON.parse(cancel.stdout)).toMatchObject({ run: { status: "cancelled" } });
  expect((await owner.ended).code).toBe(130);
});

test("SIGINT ends a command politely with 130 and one JSON object", async () => {
  const { child, stderr, ended } = cli(runArgs("slow", 5000));
  await until(() => stderr().includes("Training"), "training is under way");
  child.kill("SIGINT");
  const { code, stdout } = await ended;
  expect(code).toBe(130);
  expect(JSON.parse(stdout)).toMatchObject({ cancelled: true, run: { status: "cancelled" } });
  await until(() => engines().length === 0, "the engine process is gone");
});

test("two commands on one new store at once both work, one run after the other", async () => {
  const both = await Promise.all([cli(runArgs("plain", 6)).ended, cli(runArgs("plain", 7)).ended]);
  expect(both.map((end) => [end.code, end.stderr.includes("Error") ? end.stderr : ""])).toEqual([[0, ""], [0, ""]]);
  expect(both.map((end) => (JSON.parse(end.stdout) as { run: Shown }).run.lastStep).sort()).toEqual([6, 7]);
});

test("serve prints an address, says that the window is not built or shows it, and ends with Ctrl+C", async () => {
  const { child, ended, stderr } = cli(["serve", "--port", "0"]);
  let text = "";
  child.stdout!.on("data", (part: string) => (text += part));
  await until(() => text.includes("http://"), `the address is there: ${stderr()}`);
  const url = /http:\/\/\S+/.exec(text)![0];
  const answer = await fetch(url, { redirect: "manual" });
  expect(answer.status).toBe(303);
  child.kill("SIGINT");
  expect((await ended).code).toBe(0);
});

const oldNode = findOldNode();
test.skipIf(oldNode === null)(`an older Node hands over to the installed one, with signals and exit code${oldNode === null ? " (no Node before 22.18 on PATH)" : ""}`, async () => {
  expect(JSON.parse((await cli(["runs", "list", "--json"], oldNode!).ended).stdout)).toEqual({ runs: [] });
  expect((await cli(["runs", "show", "9"], oldNode!).ended).code).toBe(1);
  const { child, stderr, ended } = cli(runArgs("slow", 5000), oldNode!);
  await until(() => stderr().includes("Training"), "training is under way");
  child.kill("SIGINT");
  expect((await ended).code).toBe(130);

  const orphaned = cli(runArgs("slow", 6000), oldNode!);
  await until(() => orphaned.stderr().includes("Training"), "training is under way");
  orphaned.child.kill("SIGKILL");
  await until(() => engines().length === 0, "nothing is left working when the starter is gone");
});

function findOldNode(): string | null {
  for (const dir of (process.env["PATH"] ?? "").split(delimiter)) {
    const node = join(dir, "node");
    if (!existsSync(node)) continue;
    try {
      const [major, minor] = execFileSync(node, ["-p", "process.versions.node"], { encoding: "utf8" }).trim().split(".").map(Number);
      if (major! < 22 || (major === 22 && minor! < 18)) return node;
    } catch {
      continue; // not a Node that runs
    }
  }
  return null;
}
