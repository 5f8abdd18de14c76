// `npm test`: everything that can be checked on this machine, and a true account of what was not.
// In: the checkout after `npm ci`; further arguments go to vitest (`npm test -- test/graph`). Out: a report whose last
// line is "N passed, N failed, N skipped"; exit code 0 only if nothing failed.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { findBrowser, installBrowser, installObstacle } from "./browser.ts";
import { obtainGoldenModel } from "./golden-model.ts";
import type { NamedTest, TestSummary } from "./test-report.ts";

const repoRoot = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const say = (line: string): void => console.log(line);

/** Longest run of vitest before it is ended and counted as failed. */
const vitestLimitMs = 40 * 60_000;

interface Check {
  name: string;
  /** Path under node_modules of the script to run. */
  tool: string;
  args: string[];
  /** The check has nothing to look at until this file exists. */
  needs: string;
}

const checks: readonly Check[] = [
  { name: "types agree (tsc)", tool: "typescript/bin/tsc", args: ["--noEmit"], needs: "tsconfig.json" },
  {
    name: "components' types agree (svelte-check)",
    tool: "svelte-check/bin/svelte-check",
    args: ["--tsconfig", "renderer/tsconfig.json", "--fail-on-warnings", "--output", "human"],
    needs: "renderer/tsconfig.json",
  },
  { name: "the window builds (vite)", tool: "vite/bin/vite.js", args: ["build", "--logLevel", "warn"], needs: "renderer/index.html" },
];

function main(vitestArgs: string[]): number {
  const startedMs = performance.now();
  const failures: NamedTest[] = [];
  let passed = 0;
  for (const check of checks) {
    const isPassed = runCheck(check);
    if (isPassed === null) continue;
    if (isPassed) passed += 1;
    else failures.push({ name: check.name, file: check.tool, note: null });
  }

  const notRun: string[] = [];
  const env: NodeJS.ProcessEnv = { ...process.env };
  try {
    const browser = obtainBrowser();
    if (browser.path === null) notRun.push(`browser tests: not run, ${browser.reason}`);
    else env["CHROME_PATH"] = browser.path;
  } catch (error) {
    failures.push({ name: "CHROME_PATH names a browser", file: "environment", note: String(error) });
  }
  const model = obtainGoldenModel(repoRoot, say);
  if (model.folder === null) notRun.push(`golden comparisons: not run, ${model.reason}`);
  else env["NULLSPACE_SMOLLM2"] = model.folder;

  const summary = runVitest(vitestArgs, env);
  failures.push(...summary.failures);
  passed += summary.passed;
  report(summary, notRun, failures, performance.now() - startedMs);
  say(`${passed} passed, ${failures.length} failed, ${summary.skipped.length} skipped`);
  return failures.length === 0 && passed > 0 ? 0 : 1;
}

/** True or false as the check went; null where there is nothing to check yet. */
function runCheck(check: Check): boolean | null {
  if (!existsSync(join(repoRoot, check.needs))) return null;
  const startedMs = performance.now();
  const tool = join(repoRoot, "node_modules", check.tool);
  const run = spawnSync(process.execPath, [tool, ...check.args], { cwd: repoRoot, encoding: "utf8" });
  const isPassed = run.status === 0;
  say(`${isPassed ? "✓" : "✗"} ${check.name} ${seconds(performance.now() - startedMs)}`);
  if (!isPassed) say(`${run.stdout ?? ""}${run.stderr ?? ""}${run.error?.message ?? ""}`);
  return isPassed;
}

function obtainBrowser(): { path: string } | { path: null; reason: string } {
  const found = findBrowser();
  if (found !== null) return { path: found };
  const obstacle = installObstacle();
  if (obstacle !== null) return { path: null, reason: `no Chrome, Chromium or Edge was found, and ${obstacle}` };
  say("No Chrome, Chromium or Edge was found: installing Debian's chromium …");
  const problem = installBrowser();
  const path = problem === null ? findBrowser() : null;
  return path === null ? { path: null, reason: problem ?? "the installed browser was not found" } : { path };
}

function runVitest(args: string[], env: NodeJS.ProcessEnv): TestSummary {
  const folder = join(repoRoot, "test-results");
  mkdirSync(folder, { recursive: true });
  const target = join(folder, "summary.json");
  rmSync(target, { force: true });
  const vitest = join(repoRoot, "node_modules/vitest/vitest.mjs");
  const reporters = ["--reporter=default", "--reporter=./scripts/test-report.ts", "--includeTaskLocation"];
  const run = spawnSync(process.execPath, [vitest, "run", ...reporters, ...args], {
    cwd: repoRoot,
    env: { ...env, NULLSPACE_TEST_SUMMARY: target },
    stdio: ["ignore", "inherit", "inherit"],
    timeout: vitestLimitMs,
  });
  const how = `vitest ended with ${run.status ?? run.signal ?? run.error?.message}`;
  const summary: TestSummary = existsSync(target)
    ? (JSON.parse(readFileSync(target, "utf8")) as TestSummary)
    : { passed: 0, failed: 0, failures: [], skipped: [], golden: { ran: [], skipped: [] } };
  // An exit code that the counted tests do not explain is a failure too: a crash is never green.
  if (run.status !== 0 && summary.failures.length === 0) {
    summary.failures.push({ name: how, file: "vitest", note: null });
  }
  return summary;
}

function report(summary: TestSummary, notRun: string[], failures: NamedTest[], elapsedMs: number): void {
  const { ran, skipped } = summary.golden;
  say(`\nGolden comparisons: ${ran.length} ran, ${skipped.length} did not.`);
  for (const test of ran) say(`  ran      ${test.name}`);
  for (const test of skipped) say(`  not run  ${line(test)}`);
  const others = summary.skipped.filter((test) => !skipped.some((s) => s.name === test.name && s.file === test.file));
  if (others.length > 0) say(`Skipped besides: ${others.length}`);
  for (const test of others) say(`  skipped  ${line(test)}`);
  for (const reason of notRun) say(reason);
  if (failures.length > 0) say(`Failed: ${failures.length}`);
  for (const test of failures) say(`  failed   ${line(test)}`);
  say(`Took ${seconds(elapsedMs)}.`);
}

function line({ name, file, note }: NamedTest): string {
  return note === null ? `${name} (${file})` : `${name} (${file}): ${note}`;
}

function seconds(elapsedMs: number): string {
  return elapsedMs < 120_000 ? `${(elapsedMs / 1000).toFixed(1)} s` : `${(elapsedMs / 60_000).toFixed(1)} min`;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
