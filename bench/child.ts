// Both sides run in fresh processes, so that neither's memory or warm caches count for the other.
// Ours: a script beside this file that takes its settings as JSON and prints one JSON object. The peer: test/peers.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { pythonEnv, runPeer, type PeerScript } from "../test/peers/python-env.ts";
import { benchFolder, type Tools } from "./places.ts";

export type OurScript = "peak-ours.ts" | "train-ours.ts" | "probe-ours.ts" | "decode-ours.ts" | "start-ours.ts" | "synthetic-ours.ts";

/** Runs one of our measuring scripts and returns what it prints. */
export async function runOurs<T>(script: OurScript, settings: object, { say, signal }: Tools): Promise<T> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", join(benchFolder, script), JSON.stringify(settings)], { signal, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let lastLines = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    lastLines = (lastLines + text).slice(-4000);
    for (const line of text.split("\n")) if (line.trim() !== "") say(line);
  });
  const code = await new Promise<number | null>((settle, reject) => child.once("error", reject).once("close", settle));
  if (code !== 0) throw new Error(`${script} ended with ${code}:\n${lastLines.trim().split("\n").slice(-8).join("\n")}`);
  return JSON.parse(stdout) as T;
}

/** What a measuring script does with its settings. */
export async function measureAlone<S, T>(measure: (settings: S) => Promise<T>): Promise<void> {
  const result = await measure(JSON.parse(process.argv[2] ?? "{}") as S);
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

/** Processor time, user's and system's together. */
export function secondsOf({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1e6;
}

export type Peer = (args: readonly string[]) => Promise<unknown>;

/** The peer's script ready to run, or the reason why not. */
export async function openPeer(script: PeerScript, isWanted: boolean, { say, signal }: Tools): Promise<{ run: Peer } | { run: null; why: string }> {
  if (!isWanted) return { run: null, why: "left out by --no-peer" };
  const env = await pythonEnv(say);
  if (env.python === null) return { run: null, why: env.reason };
  return { run: (args) => runPeer(env.python, script, args, say, signal) };
}
