// The Python environment of the peers we compare with: a venv under .cache/peers with torch, transformers, PEFT and
// lm-evaluation-harness from the package index that pip is set up for.
// In: a Python 3.10 or newer on PATH (or NULLSPACE_PYTHON). Out: the venv's interpreter, or the reason why there is none.
// Cost: about 6 GB on disk on Linux, where pip's torch brings its CUDA libraries; minutes the first time.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const peersFolder = dirname(fileURLToPath(import.meta.url));
const repoRoot = resolve(peersFolder, "../..");

export const peerPackages: readonly string[] = ["torch", "transformers", "peft", "accelerate", "safetensors", "lm-eval[hf]"];

export type PeerScript = "peft_train_bench.py" | "peft_logits.py" | "lm_eval_probe.py" | "transformers_decode.py" | "official_nullspace.py" | "peft_starts.py";
export type PythonEnv = { python: string } | { python: null; reason: string };

/** Finds the environment, making it where `isMade` allows; a failure comes back as a reason, not as an error. */
export async function pythonEnv(say: (line: string) => void, { isMade = true }: { isMade?: boolean } = {}): Promise<PythonEnv> {
  const venv = join(repoRoot, ".cache/peers/venv");
  const python = process.platform === "win32" ? join(venv, "Scripts/python.exe") : join(venv, "bin/python");
  const marker = join(venv, "packages.txt"); // written last: a venv without it was cut short
  if (existsSync(marker) && existsSync(python)) return { python };
  if (!isMade) return { python: null, reason: "the peers' Python environment (.cache/peers) has not been made" };

  const system = systemPython();
  if (system === null) return { python: null, reason: "no Python 3.10 or newer was found (python3, python, NULLSPACE_PYTHON)" };
  say(`Making the peers' Python environment in .cache/peers (${peerPackages.join(", ")}) …`);
  mkdirSync(dirname(venv), { recursive: true });
  const steps: [string, string[]][] = [
    [system, ["-m", "venv", venv]],
    [python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...peerPackages]],
    [python, ["-c", "import torch, transformers, peft, lm_eval"]],
  ];
  for (const [command, args] of steps) {
    const problem = await problemOf(command, args);
    if (problem !== null) return { python: null, reason: `${args.slice(0, 3).join(" ")}: ${problem}` };
  }
  writeFileSync(marker, `${peerPackages.join("\n")}\n`);
  return { python };
}

/** Runs one of the scripts beside this file and returns the JSON object it prints. Its stderr goes to `say` by lines. */
export async function runPeer(
  python: string,
  script: PeerScript,
  args: readonly string[],
  say: (line: string) => void,
  signal?: AbortSignal,
): Promise<unknown> {
  const env = { ...process.env, HF_HUB_OFFLINE: "1", TOKENIZERS_PARALLELISM: "false", PYTHONUNBUFFERED: "1", PYTHONWARNINGS: "ignore", TQDM_DISABLE: "1" };
  const child = spawn(python, [join(peersFolder, script), ...args], { env, signal, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let lastLines = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    lastLines = (lastLines + text).slice(-4000);
    for (const line of text.split(/[\r\n]+/)) if (line.trim() !== "") say(line);
  });
  const code = await new Promise<number | null>((settle, reject) => child.once("error", reject).once("close", settle));
  if (code !== 0) throw new Error(`${script} ended with ${code}:\n${lastLines.trim().split("\n").slice(-6).join("\n")}`);
  const answer = stdout.trim().split("\n").at(-1) ?? "";
  return JSON.parse(answer);
}

function systemPython(): string | null {
  const asked = process.env["NULLSPACE_PYTHON"];
  const names = asked === undefined ? ["python3", "python"] : [asked];
  const isNewEnough = "import sys, venv; sys.exit(sys.version_info < (3, 10))";
  return names.find((name) => spawnSync(name, ["-c", isNewEnough], { stdio: "ignore" }).status === 0) ?? null;
}

/** The last line of a failed command's stderr, or null where it went well. */
async function problemOf(command: string, args: string[]): Promise<string | null> {
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr = (stderr + text).slice(-4000)));
  const code = await new Promise<number | string | null>((settle) =>
    child.once("error", (error) => settle(error.message)).once("close", settle),
  );
  return code === 0 ? null : `${stderr.trim().split("\n").at(-1) ?? ""} (ended with ${code})`;
}
