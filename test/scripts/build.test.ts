// The built app without Electron: do the modules that the package would hold load and work in plain Node?

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildMain, buildPreload } from "../../scripts/build.ts";
import { repoRoot } from "../support/shared-paths.ts";

let out = "";

beforeAll(async () => {
  // Inside the checkout, so that packages are found from there as they are from dist/.
  mkdirSync(join(repoRoot, ".cache"), { recursive: true });
  out = mkdtempSync(join(repoRoot, ".cache/build-test-"));
  await buildMain(out);
  await buildPreload(out);
});

afterAll(() => rmSync(out, { recursive: true, force: true, maxRetries: 5 }));

describe("the built app", () => {
  test("answers rpc in plain Node", () => {
    const program = `
      const { openApp } = await import("./main/services/app.js");
      const { localClient, makeRouter } = await import("./main/rpc/router.js");
      const app = openApp();
      console.log(JSON.stringify(await localClient(makeRouter(app)).system.info()));
      await app.close();`;
    const home = join(out, "home");
    const answer = execFileSync(process.execPath, ["--input-type=module", "-e", program], {
      cwd: out,
      env: { ...process.env, NULLSPACE_HOME: home },
      encoding: "utf8",
      timeout: 60_000,
    });
    expect(JSON.parse(answer)).toMatchObject({ home, node: process.versions.node });
  });

  test("has the entry of the engine process and its jobs where the launcher looks", () => {
    expect(existsSync(join(out, "main/engine/child.js"))).toBe(true);
    expect(existsSync(join(out, "main/engine/jobs/index.js"))).toBe(true);
  });

  test("has its preload script in one CommonJS file that needs nothing but electron", () => {
    const preload = readFileSync(join(out, "main/app/preload.cjs"), "utf8");
    const needed = [...preload.matchAll(/require\(["'`]([^"'`]+)/g)].map((match) => match[1]);
    expect(needed).toEqual(["electron"]);
    expect(preload).not.toMatch(/^\s*import\s/m);
  });

  test("imports no TypeScript file", () => {
    const entry = readFileSync(join(out, "main/app/electron.js"), "utf8");
    expect(entry).toContain("../services/app.js");
    expect(entry).not.toMatch(/from "[^"]+\.ts"/);
  });
});
