// The real Electron shell: the built app, started in Electron and driven from outside.
// Needs Electron's binary (npm does not carry it) and, on Linux, a display. Skipped by name elsewhere.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { _electron } from "playwright-core";
import { expect, test } from "vitest";
import { buildMain, buildPreload } from "../../scripts/build.ts";
import { electronBinary } from "../../scripts/electron-binary.ts";
import { buildRenderer } from "../../scripts/renderer.ts";
import { repoRoot } from "../support/shared-paths.ts";

const binary = electronBinary(repoRoot);

test("the real Electron shell opens the window, sandboxed and talking rpc", { timeout: 300_000 }, async (context) => {
  if (binary === null) return context.skip("not run: Electron's binary is missing from node_modules/electron/dist");
  if (process.platform === "linux" && !process.env["DISPLAY"]) return context.skip("not run: there is no display");
  await buildRenderer(repoRoot);
  await buildMain();
  await buildPreload();
  const home = mkdtempSync(join(tmpdir(), "nullspace-shell-"));
  const isRoot = process.platform === "linux" && process.getuid?.() === 0;
  const app = await _electron.launch({
    executablePath: binary,
    args: [...(isRoot ? ["--no-sandbox"] : []), repoRoot],
    env: { ...(process.env as Record<string, string>), NULLSPACE_HOME: home },
  });
  try {
    const page = await app.firstWindow();
    await page.waitForLoadState();
    const seen = await page.evaluate(async () => {
      const window = globalThis as unknown as Record<string, unknown>;
      const isOutsideReached = await fetch("http://127.0.0.1:9/").then(() => true, () => false);
      return {
        url: String(window["location"]),
        node: [typeof window["require"], typeof window["process"], typeof window["module"]],
        bridge: Object.keys(window["nullspaceShell"] as object).sort(),
        isOutsideReached,
      };
    });
    expect(seen.url).toMatch(/^app:\/\/nullspace\//);
    expect(seen.node).toEqual(["undefined", "undefined", "undefined"]);
    expect(seen.bridge).toEqual(["chooseFile", "chooseFolder", "pathOf", "showProgress"]);
    expect(seen.isOutsideReached).toBe(false);
    await page.screenshot({ path: join(repoRoot, "test-results/electron.png") });
  } finally {
    await app.close();
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
});
