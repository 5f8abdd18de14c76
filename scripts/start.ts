// `npm start`: opens the window. Electron where its binary is installed; else the same window, served on this machine
// only and opened in the browser.
// In: the checkout after `npm ci`; arguments: --browser (no Electron even where it is there), --port N (default 7070, or
// a free one where that is taken). Out: a window; ends when it is closed, or with Ctrl+C.

import { spawn } from "node:child_process";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildMain, buildPreload } from "./build.ts";
import { electronBinary } from "./electron-binary.ts";
import { buildRenderer, isRendererStale } from "./renderer.ts";
import { serveWindow, type WindowServer } from "./serve-window.ts";

const repoRoot = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const usualPort = 7070;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { browser: { type: "boolean" }, port: { type: "string" } } });
  if (isRendererStale(repoRoot)) {
    console.log("Building the window …");
    await buildRenderer(repoRoot);
  }
  const electron = values.browser === true ? null : electronBinary(repoRoot);
  return electron === null ? inBrowser(values.port, values.browser === true) : inElectron(electron);
}

async function inElectron(electron: string): Promise<number> {
  await buildMain();
  await buildPreload();
  const isRoot = process.platform === "linux" && process.getuid?.() === 0;
  const child = spawn(electron, [...(isRoot ? ["--no-sandbox"] : []), repoRoot], { cwd: repoRoot, stdio: "inherit" });
  return new Promise((settle, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => settle(code ?? 1));
  });
}

async function inBrowser(askedPort: string | undefined, isAsked: boolean): Promise<number> {
  const server = await serveAt(askedPort);
  const why = isAsked ? "As asked" : "Electron's binary is not installed here (`npx install-electron` gets it)";
  const how = canShow() ? "the window opens in your browser" : "open the window in a browser on this machine";
  console.log(`${why}: ${how} at ${server.url} (Ctrl+C stops it).`);
  if (canShow()) openInBrowser(server.url);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void server.stop());
  return new Promise((settle) => {
    server.process.once("exit", (code, signal) => settle(signal === null ? (code ?? 0) : 0));
  });
}

/** The usual port keeps the address, and with it what the browser remembers of the window, from one start to the next. */
async function serveAt(askedPort: string | undefined): Promise<WindowServer> {
  if (askedPort !== undefined) return serveWindow({ repoRoot, port: Number(askedPort) });
  try {
    return await serveWindow({ repoRoot, port: usualPort });
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes(`Port ${usualPort} is in use`)) throw error;
    return serveWindow({ repoRoot, port: 0 });
  }
}

/** On Linux a browser needs a display; elsewhere there always is one. */
function canShow(): boolean {
  if (process.platform !== "linux") return true;
  return Boolean(process.env["DISPLAY"] ?? process.env["WAYLAND_DISPLAY"]);
}

function openInBrowser(url: string): void {
  const [command, ...args] = opener(url);
  const child = spawn(command, args, { stdio: "ignore", detached: true });
  child.once("error", () => console.log(`No browser could be opened from here: open ${url} yourself.`));
  child.unref();
}

function opener(url: string): [string, ...string[]] {
  if (process.platform === "darwin") return ["open", url];
  if (process.platform === "win32") return ["cmd", "/c", "start", "", url.replaceAll("&", "^&")];
  return ["xdg-open", url];
}

if (import.meta.main) process.exitCode = await main();
