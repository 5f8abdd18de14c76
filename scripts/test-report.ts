// Vitest reporter of `npm test`: counts every test, and remembers what was skipped and which golden comparisons ran.
// In: vitest's events. Out: one JSON file (NULLSPACE_TEST_SUMMARY) that scripts/test.ts prints as the closing report.

import { readFileSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import type { Reporter, TestCase, TestModule } from "vitest/node";

export interface NamedTest {
  name: string;
  file: string;
  /** Why it was skipped, where the test said so. */
  note: string | null;
}

export interface TestSummary {
  passed: number;
  failed: number;
  failures: NamedTest[];
  skipped: NamedTest[];
  /** Comparisons with reference data: tests written with `goldenTest`, or with "golden" in their name or file. */
  golden: { ran: NamedTest[]; skipped: NamedTest[] };
}

export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandled: ReadonlyArray<unknown>): void {
    const target = process.env["NULLSPACE_TEST_SUMMARY"];
    if (target !== undefined) writeFileSync(target, JSON.stringify(summarise(modules, unhandled.length)));
  }
}

function summarise(modules: ReadonlyArray<TestModule>, unhandledErrors: number): TestSummary {
  const summary: TestSummary = { passed: 0, failed: 0, failures: [], skipped: [], golden: { ran: [], skipped: [] } };
  for (const module of modules) {
    const file = relative(process.cwd(), module.moduleId);
    for (const test of module.children.allTests()) count(summary, test, file);
    // A file that does not load, or a failing hook around tests, is a failure of its own.
    if (module.errors().length > 0) fail(summary, { name: "the file loads and its hooks hold", file, note: null });
    for (const suite of module.children.allSuites()) {
      if (suite.errors().length > 0) fail(summary, { name: `${suite.fullName}: its hooks hold`, file, note: null });
    }
  }
  if (unhandledErrors > 0) {
    fail(summary, { name: `nothing is thrown outside a test (${unhandledErrors} errors)`, file: "whole run", note: null });
  }
  return summary;
}

function count(summary: TestSummary, test: TestCase, file: string): void {
  const result = test.result();
  const entry: NamedTest = { name: test.fullName, file, note: result.state === "skipped" ? (result.note ?? null) : null };
  const isGolden = /golden/i.test(`${test.fullName} ${file} ${sourceLine(test)}`);
  if (result.state === "passed") summary.passed += 1;
  else if (result.state === "failed") fail(summary, entry);
  else summary.skipped.push(entry); // skipped, todo, or never started because the run was cut short
  if (isGolden) (result.state === "passed" || result.state === "failed" ? summary.golden.ran : summary.golden.skipped).push(entry);
}

/** The line the test starts on (vitest runs with includeTaskLocation), or nothing. */
function sourceLine(test: TestCase): string {
  if (test.location === undefined) return "";
  return readFileSync(test.module.moduleId, "utf8").split("\n")[test.location.line - 1] ?? "";
}

function fail(summary: TestSummary, entry: NamedTest): void {
  summary.failed += 1;
  summary.failures.push(entry);
}
