// The whole way through the window, as a user goes it: an empty store, a folder with a model, a small run with its live
// curve, and both models' answers side by side. A tiny random model stands in; the work is real.

import { mkdirSync, mkdtempSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from "vitest";
import { writeTinyModel } from "../support/tiny-model.ts";
import { seriousFindings } from "./axe.ts";
import { browserMissing, browserTest, openWindow, type WindowUnderTest } from "./harness.ts";

let window: WindowUnderTest;
let page: Page;
let folder: string;

beforeAll(async () => {
  if (browserMissing !== null) return;
  folder = mkdtempSync(join(tmpdir(), "nullspace-models-"));
  writeTinyModel(join(folder, "tiny-llama"));
  mkdirSync(join(folder, "more"));
  window = await openWindow();
  page = window.page;
  page.setDefaultTimeout(20_000);
});

afterAll(async () => {
  if (browserMissing !== null) return;
  await window.close();
  rmSync(folder, { recursive: true, force: true });
});

const heading = (name: string) => page.getByRole("heading", { name, exact: true });
const goTo = (name: string) => page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name }).click();

/** Fills a number field by its label, which may go on with a unit. */
async function fill(label: string, value: number): Promise<void> {
  await page.getByRole("spinbutton", { name: label }).first().fill(String(value));
}

describe("the window", () => {
  // Each step goes on where the one before it ended: after a failure the rest would only wait in vain.
  let hasFailed = false;
  beforeEach(({ skip }) => skip(hasFailed, "an earlier step failed"));
  afterEach(({ task }) => {
    hasFailed ||= task.result?.state === "fail";
  });

  browserTest("begins empty, and every page says what to do next", async () => {
    await heading("Where are your models?").waitFor();
    for (const [link, title] of [["New run", "A run needs a model"], ["Runs", "No runs yet"], ["Compare", "Nothing to compare yet"]] as const) {
      await goTo(link);
      await heading(title).waitFor();
      expect(await seriousFindings(page)).toEqual([]);
    }
    await page.keyboard.press("Alt+1");
    await heading("Where are your models?").waitFor();
  });

  browserTest("shows the models of an added folder, and one that is copied in later", async () => {
    await page.getByRole("button", { name: "Add a folder" }).click();
    await page.getByRole("textbox", { name: "Folder" }).fill(folder);
    await page.getByRole("button", { name: "Go" }).click();
    await page.getByRole("list", { name: "Entries" }).getByRole("button", { name: "tiny-llama" }).waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByRole("button", { name: "Choose this folder" }).click();
    await heading("tiny-llama").waitFor();
    expect(await page.getByRole("article").innerText()).toMatch(/Context\s+512 tokens/);

    writeTinyModel(join(folder, "more", "broken"));
    truncateSync(join(folder, "more", "broken", "model.safetensors"), 4000);
    await heading("1 folder that cannot be trained").waitFor();
    expect(await page.getByText(join("more", "broken", "model.safetensors")).count()).toBe(1);
    expect(await seriousFindings(page)).toEqual([]);
    await window.screenshot("models");
  });

  browserTest("previews real rows and questions, and starts a run", async () => {
    await page.getByRole("link", { name: "New run with tiny-llama" }).click();
    await page.getByText("720", { exact: false }).first().waitFor();
    expect(await page.getByLabel("The first questions").getByRole("listitem").count()).toBeGreaterThan(5);
    const trained = await page.getByLabel("Tokens of row 1").locator(".trained").allInnerTexts();
    expect(trained.join("")).toContain("####");
    expect(trained.at(-1)).toBe("<|im_end|>"); // the end is learnt

    for (const summary of await page.locator("summary").all()) await summary.click();
    await fill("Samples", 8);
    await fill("Length of a sample", 64);
    await fill("Ask at most", 12);
    await page.getByRole("checkbox", { name: "Try the task" }).uncheck();
    await page.getByRole("button", { name: "Steps" }).click();
    await fill("Steps", 14);
    await fill("Accumulate", 1);
    await fill("Rank", 0);
    await page.getByText("1 field needs a change.").waitFor();
    expect(await page.getByRole("button", { name: "Start the run" }).isDisabled()).toBe(true);
    await fill("Rank", 4);
    expect(await seriousFindings(page)).toEqual([]);
    await window.screenshot("new-run");
    await page.getByRole("button", { name: "Start the run" }).click();
  });

  browserTest("follows the run to its end with a live curve and its results", async () => {
    await page.getByRole("img", { name: /^Loss over [1-9]\d* steps/ }).waitFor();
    await page.getByRole("link", { name: "Compare answers" }).waitFor();
    await page.getByRole("button", { name: "Delete" }).waitFor({ timeout: 50_000 }); // a busy machine trains slowly
    await page.getByRole("img", { name: "Loss over 14 steps" }).waitFor();
    expect(await page.getByRole("region", { name: "Knowledge kept" }).innerText()).toContain("12 questions");
    expect(await page.getByRole("region", { name: "Files" }).innerText()).toContain(join("runs", "1", "adapter"));
    expect(await page.getByRole("list", { name: "Knowledge: the answers" }).getByRole("listitem").count()).toBeGreaterThan(2);
    expect(await seriousFindings(page)).toEqual([]);
    await window.screenshot("run");
    await goTo("Runs");
    expect(await page.getByRole("row").nth(1).innerText()).toMatch(/Done[\s\S]*14/);
    expect(await seriousFindings(page)).toEqual([]);
  });

  browserTest("answers one prompt by both models side by side", async () => {
    await goTo("Compare");
    await fill("At most", 12);
    await page.getByRole("textbox", { name: "Prompt" }).fill("Emma has 10 books and gives away 6 of them. How many are left?");
    await page.keyboard.press("Control+Enter");
    await page.getByText(/tokens\/s together/).waitFor();
    await page.getByRole("button", { name: "Ask both" }).waitFor();
    for (const name of ["Base", "Tuned"]) {
      const answer = page.getByRole("article").filter({ has: heading(name) });
      expect(await answer.innerText()).toMatch(/\d+ tokens? · (ended by itself|cut at the longest length)/);
    }
    expect(await seriousFindings(page)).toEqual([]);
    await window.screenshot("compare");
  });

  browserTest("reads well in the dark", async () => {
    await page.getByRole("button", { name: "Dark" }).click();
    for (const link of ["Models", "New run", "Runs"]) {
      await goTo(link);
      await page.getByRole("heading", { level: 1 }).waitFor();
      expect(await seriousFindings(page)).toEqual([]);
    }
  });

  browserTest("takes a deleted run back", async () => {
    await page.getByRole("button", { name: /^Delete run 1/ }).click();
    await heading("No runs yet").waitFor();
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByRole("row").nth(1).waitFor();
  });

  browserTest("says when the server is gone, and had no fault until then", async () => {
    expect(window.pageErrors).toEqual([]);
    await window.server.stop();
    await page.getByText("The connection to Nullspace is lost.").waitFor();
    await window.screenshot("connection-lost");
  });
});
