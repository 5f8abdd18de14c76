#!/usr/bin/env node
// Starts the command line. The sources are TypeScript that Node runs as it is from 22.18 on; an older Node hands over to
// the one that npm installed into this folder. Plain JavaScript, so that Node 20 can read it.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const entry = join(root, "main", "cli", "main.ts");
const [major, minor] = process.versions.node.split(".").map(Number);

if (major > 22 || (major === 22 && minor >= 18)) {
  const { main } = await import("../main/cli/main.ts");
  await main();
} else {
  const node = installedNode();
  if (node === null) {
    console.error(`Nullspace needs Node 22.18 or newer, and this is ${process.versions.node}. Run "npm ci" in ${root}: it installs one for Nullspace alone.`);
    process.exit(1);
  }
  handOver(node);
}

function installedNode() {
  try {
    const file = createRequire(import.meta.url).resolve("node/package.json");
    const { bin } = JSON.parse(readFileSync(file, "utf8"));
    const path = join(dirname(file), typeof bin === "string" ? bin : bin.node);
    return [path, `${path}.exe`].find((candidate) => existsSync(candidate)) ?? null;
  } catch {
    return null; // not installed
  }
}

function handOver(node) {
  // A group of its own: a Ctrl+C of the terminal reaches it once, through here. The channel tells it when we are gone.
  const child = spawn(node, [entry, ...process.argv.slice(2)], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    detached: process.platform !== "win32",
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      if (process.platform !== "win32") child.kill(signal);
    });
  }
  child.on("error", (error) => {
    console.error(`${node} cannot be started: ${error.message}. Run "npm ci" in ${root}.`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}
