// Finds a Chromium-family browser on this machine, and can install one on Debian.
// In: CHROME_PATH, PATH and the places where installers put Chrome, Chromium and Edge. Out: the path of an executable,
// for the browser tests and their set-up.

import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Flags for a browser that talks to this machine only and shows no window. */
export const quietFlags: readonly string[] = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const commands = [
  "google-chrome-stable",
  "google-chrome",
  "chromium",
  "chromium-browser",
  "microsoft-edge-stable",
  "microsoft-edge",
];

const macApps = [
  "Google Chrome.app/Contents/MacOS/Google Chrome",
  "Chromium.app/Contents/MacOS/Chromium",
  "Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
];

const windowsPrograms = [
  "Google/Chrome/Application/chrome.exe",
  "Chromium/Application/chrome.exe",
  "Microsoft/Edge/Application/msedge.exe",
];

interface Surroundings {
  platform: NodeJS.Platform;
  env: Record<string, string | undefined>;
  isExecutable: (path: string) => boolean;
}

/** The browser to drive, or null. CHROME_PATH wins, and a CHROME_PATH that names nothing is an error, not a fallback. */
export function findBrowser(around: Surroundings = thisMachine()): string | null {
  const asked = around.env["CHROME_PATH"];
  if (asked !== undefined && asked !== "") {
    if (around.isExecutable(asked)) return asked;
    throw new Error(`CHROME_PATH names ${asked}, which is not an executable file.`);
  }
  return candidates(around).find(around.isExecutable) ?? null;
}

function candidates({ platform, env }: Surroundings): string[] {
  if (platform === "darwin") {
    const roots = ["/Applications", join(env["HOME"] ?? "/", "Applications")];
    return roots.flatMap((root) => macApps.map((app) => join(root, app)));
  }
  if (platform === "win32") {
    const roots = [env["PROGRAMFILES"], env["PROGRAMFILES(X86)"], env["LOCALAPPDATA"]];
    return roots.flatMap((root) => (root === undefined ? [] : windowsPrograms.map((program) => join(root, program))));
  }
  const folders = [...(env["PATH"] ?? "").split(delimiter), "/usr/bin", "/usr/local/bin", "/snap/bin"];
  const onPath = commands.flatMap((command) => folders.filter(Boolean).map((folder) => join(folder, command)));
  return [...onPath, "/opt/google/chrome/chrome", "/opt/microsoft/msedge/msedge"];
}

/** Why this machine cannot install a browser by itself, or null where it can (Debian or Ubuntu, as root). */
export function installObstacle(): string | null {
  if (process.platform !== "linux" || !existsSync("/usr/bin/apt-get")) return "only Debian-like systems are handled";
  if (process.getuid?.() !== 0) return "installing needs root";
  const release = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  return /^ID(_LIKE)?=.*debian/m.test(release) ? null : "only Debian-like systems are handled";
}

/** Installs Debian's chromium with apt-get. Returns what went wrong, or null. */
export function installBrowser(): string | null {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const steps = [["update"], ["install", "-y", "--no-install-recommends", "chromium"]];
  for (const args of steps) {
    const run = spawnSync("apt-get", ["-qq", ...args], { env, encoding: "utf8", timeout: 10 * 60_000 });
    if (run.status !== 0) {
      const lines = `${run.stdout ?? ""}\n${run.stderr ?? ""}`.trim().split("\n");
      return `apt-get ${args[0]} ended with ${run.status ?? run.signal ?? run.error?.message}: ${lines.at(-1)}`;
    }
  }
  return null;
}

function thisMachine(): Surroundings {
  return { platform: process.platform, env: process.env, isExecutable };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // absent or not ours to run: both mean "look further"
  }
}
