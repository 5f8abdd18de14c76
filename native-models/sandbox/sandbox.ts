// Runs programs that a model has written, apart from everything: no network, no files but an empty temp folder, no
// processes of their own, little time, memory and output; at the end all of it is gone.
// In: a program's text. Out: whether it ran to its end, and what it said last. A sandbox is only used after a trial
// program inside it has failed to break out; where none holds, openSandbox refuses.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, realpath, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join, sep } from "node:path";
import { UserError } from "../errors.ts";
import { bootstrapText, usualLimits, type ProgramLimits } from "./bootstrap.ts";
import { bubblewrap, unshared, type SandboxCommand } from "./linux.ts";
import { sandboxExec } from "./macos.ts";
import { watchMemory } from "./memory-watch.ts";
import { findPython, type Python } from "./python.ts";
import { brokenOut, trialProgram } from "./trial.ts";

export interface ProgramEnd {
  /** It ran to its end without an error. */
  hasPassed: boolean;
  /** "passed", the error's name and text, or why it was ended. */
  verdict: string;
  elapsedMs: number;
}

export interface Sandbox {
  /** "bubblewrap", "unshare" or "sandbox-exec". */
  kind: string;
  python: Python;
  /** At most two programs run at a time; more wait. An abort ends those that run. */
  run(program: string, options?: { signal?: AbortSignal }): Promise<ProgramEnd>;
  /** Removes what it put on the disk. */
  close(): Promise<void>;
}

type MakeCommand = (python: Python, code: string, limits: ProgramLimits, folder: string) => SandboxCommand;

const isRoot = process.getuid?.() === 0;
/** Root of the machine may start any number of processes within bubblewrap's user namespace: it gets the other kind. */
const linuxKinds: [string, MakeCommand][] = [["unshare", (python, code, limits, folder) => unshared(python, code, limits, folder, isRoot)]];
if (!isRoot) linuxKinds.unshift(["bubblewrap", bubblewrap]);
const kinds: Partial<Record<NodeJS.Platform, [string, MakeCommand][]>> = {
  linux: linuxKinds,
  darwin: [["sandbox-exec", (python, code, _, folder) => sandboxExec(python, code, folder)]],
};

const mostAtOnce = 2;

export async function openSandbox({ limits = usualLimits }: { limits?: ProgramLimits } = {}): Promise<Sandbox> {
  const candidates = kinds[process.platform] ?? [];
  const python = await findPython();
  const failures: string[] = [];
  for (const [kind, make] of candidates) {
    const folder = await realpath(await mkdtemp(join(tmpdir(), "nullspace-sandbox-")));
    const close = (): Promise<void> => rm(folder, { recursive: true, force: true });
    const command = make(python, bootstrapText(limits), limits, folder);
    const end = await runOnce(command, trialProgram({ home: homedir(), unseen: await userFiles(python) }), limits);
    const problem = end.hasPassed ? null : (brokenOut(end.verdict) ?? end.verdict);
    if (problem === null) return { kind, python, run: limited((program, options) => runOnce(command, program, limits, options?.signal)), close };
    failures.push(`${kind}: ${problem}`);
    await close();
  }
  throw new UserError({
    what: candidates.length === 0 ? `There is no sandbox for programs on ${process.platform}.` : `No sandbox holds on this machine (${failures.join("; ")}).`,
    where: "probe: mayRunPrograms",
    fix: process.platform === "linux" ? "Install bubblewrap, or allow user namespaces; or choose a task that runs no programs." : "Choose a task that runs no programs, or probe on Linux.",
  });
}

/** Some of what lies in the user's home folder, without the folders that Python itself is in. */
async function userFiles(python: Python): Promise<string[]> {
  const names = await readdir(homedir()).catch(() => []);
  const paths = names.map((name) => join(homedir(), name));
  return paths.filter((path) => !python.folders.some((folder) => folder === path || folder.startsWith(`${path}${sep}`))).slice(0, 100);
}

/** Runs at most so many at a time. */
function limited(run: Sandbox["run"]): Sandbox["run"] {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (program, options) => {
    if (running >= mostAtOnce) await new Promise<void>((go) => waiting.push(go));
    running += 1;
    try {
      options?.signal?.throwIfAborted();
      return await run(program, options);
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };
}

function runOnce({ command, args }: SandboxCommand, program: string, limits: ProgramLimits, signal?: AbortSignal): Promise<ProgramEnd> {
  const started = performance.now();
  const secret = randomBytes(16).toString("hex");
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], cwd: "/", env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin" } });
    const output: Buffer[] = [];
    let outputBytes = 0;
    let errorText = "";
    let ended: string | null = null;
    const end = (why: string): void => {
      ended ??= why;
      child.kill("SIGKILL");
    };
    const timer = setTimeout(() => end(`ended after ${limits.wallSeconds} s`), limits.wallSeconds * 1000);
    const watch = process.platform === "darwin" && child.pid !== undefined ? watchMemory(child.pid, limits.memoryBytes, () => end("took too much memory")) : null;
    const abort = (): void => end("cancelled");
    signal?.addEventListener("abort", abort, { once: true });
    child.stdout.on("data", (chunk: Buffer) => {
      outputBytes += chunk.length;
      if (outputBytes > limits.outputBytes) end(`printed more than ${limits.outputBytes} bytes`);
      else output.push(chunk);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errorText = (errorText + text).slice(-2000)));
    child.stdin.on("error", () => {}); // it ended before it had read the program: the end says so
    child.stdin.end(`${secret}\n${program}`);
    const settle = (verdict: string): void => {
      clearTimeout(timer);
      watch?.();
      signal?.removeEventListener("abort", abort);
      if (signal?.aborted) return reject(signal.reason as Error);
      resolve({ hasPassed: verdict === "passed", verdict, elapsedMs: performance.now() - started });
    };
    child.once("error", (error: NodeJS.ErrnoException) => settle(error.code === "ENOENT" ? `${command} is not installed` : error.message));
    child.once("close", (code, exitSignal) => {
      const said = Buffer.concat(output).toString("utf8").trimEnd().split("\n").at(-1) ?? "";
      if (ended !== null) settle(ended);
      else if (said.startsWith(`${secret} `)) settle(said.slice(secret.length + 1));
      else settle(howItEnded(code, exitSignal, errorText));
    });
  });
}

/** 137: killed inside, mostly for its processor time. */
function howItEnded(code: number | null, signal: string | null, errorText: string): string {
  if (signal !== null || (code !== null && code > 128)) return `was killed (time or memory ran out)`;
  const last = errorText.trim().split("\n").at(-1) ?? "";
  return `left with exit code ${code ?? "unknown"} before its end${last === "" ? "" : `: ${last.slice(0, 300)}`}`;
}
