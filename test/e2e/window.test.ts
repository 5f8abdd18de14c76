// The whole way through the window, as a user goes it: an empty store, a folder with a model, a small run with its live
// curve, and both models' answers side by side. A tiny random model stands in; the work is real.

import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { parse } from "csv-parse/sync";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from "vitest";
import { writeTinyModel } from "../support/tiny-model.ts";
import { seriousFindings } from "./axe.ts";
import { browserMissing, browserTest, openWindow, type WindowUnderTest } from "./harness.ts";

let window: WindowUnderTest;
let page: Page;
let folder: string;
/** Rows with columns that nobody knows, one of them long. */
let oddRows: string;

beforeAll(async () => {
  if (browserMissing !== null) return;
  folder = mkdtempSync(join(tmpdir(), "nullspace-models-"));
  writeTinyModel(join(folder, "tiny-llama"));
  mkdirSync(join(folder, "more"));
  oddRows = join(folder, "odd.jsonl");
  const odd = Array.from({ length: 31 }, (_, i) => ({ frage: `what is ${i} ${i === 30 ? "and then ".repeat(200) : ""}`, antwort: `the answer ${i}` }));
  writeFileSync(oddRows, odd.map((row) => JSON.stringify(row)).join("\n"));
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

/** Chooses a data file through our own dialog. */
async function chooseFile(title: string, path: string): Promise<void> {
  await page.locator(".field").filter({ has: page.getByText(title, { exact: true }) }).getByRole("button", { name: "Choose …" }).click();
  const dialog = page.getByRole("dialog", { name: title });
  await dialog.getByRole("textbox", { name: "Folder" }).fill(dirname(path));
  await dialog.getByRole("button", { name: "Go" }).click();
  await dialog.getByRole("button", { name: basename(path) }).click();
}

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
    await page.getByRole("button", { name: "Get the sample model (about 270 MB) and run the demo" }).waitFor();
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
    mkdirSync(join(folder, "more", "half"));
    copyFileSync(join(folder, "tiny-llama", "config.json"), join(folder, "more", "half", "config.json"));
    await page.getByText(/has no model\.safetensors .* and no tokenizer\.json/).waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await window.screenshot("models");
  });

  browserTest("asks what unknown columns mean, says what is cut, and keeps the form across a reload", async () => {
    await page.getByRole("link", { name: "New run with tiny-llama" }).click();
    await page.getByLabel("Training rows", { exact: true }).or(page.getByText("word-problems.train.jsonl")).first().waitFor();
    await chooseFile("Training rows", oddRows);
    await page.getByText("What do the columns mean?").waitFor();
    expect(await page.getByRole("button", { name: "Start the run" }).isDisabled()).toBe(true);
    expect(await page.getByText("Say what the columns of the training rows mean.").count()).toBe(1);
    await page.getByLabel("Prompt", { exact: true }).selectOption("frage");
    await page.getByLabel("Answer", { exact: true }).selectOption("antwort");
    expect(await seriousFindings(page)).toEqual([]);
    await window.screenshot("columns");
    await page.getByRole("button", { name: "Use these columns" }).click();
    await page.getByText("prompt: frage · answer: antwort").waitFor();
    await page.getByText("of 31 rows kept").waitFor();
    await page.getByText("1 × longer than 512 tokens").waitFor();
    await page.getByRole("button", { name: "Cut the prompt" }).click();
    await page.getByText("1 × kept, but its prompt was cut to fit 512 tokens").waitFor();
    await page.getByRole("textbox", { name: "Name" }).fill("kept name");
    await page.reload();
    await page.getByText("prompt: frage · answer: antwort").waitFor();
    expect(await page.getByRole("textbox", { name: "Name" }).inputValue()).toBe("kept name");
    expect(await page.getByRole("button", { name: "Cut the prompt" }).getAttribute("aria-pressed")).toBe("true");
    expect(await page.getByRole("button", { name: "Start the run" }).isDisabled()).toBe(false);
    await page.getByRole("button", { name: "Start from the defaults" }).click();
    await page.getByText("of 720 rows kept").waitFor();
    await goTo("Models");
  });

  browserTest("previews real rows and questions, and starts a run", async () => {
    await page.getByRole("link", { name: "New run with tiny-llama" }).click();
    await page.getByText("720", { exact: false }).first().waitFor();
    expect(await page.getByLabel("The first questions").getByRole("listitem").count()).toBeGreaterThan(5);
    const trained = await page.getByLabel("Tokens of row 1").locator(".trained").allInnerTexts();
    expect(trained.join("")).toContain("####");
    expect(trained.at(-1)).toBe("<|im_end|>"); // the end is learnt

    for (const summary of await page.locator("summary").all()) await summary.click();
    expect(await page.getByLabel("Template, written out").innerText()).toBe("<|im_start|>user\n{instruction}<|im_end|>\n<|im_start|>assistant\n{response}<|im_end|>\n");
    await fill("Samples", 8);
    await fill("Length of a sample", 64);
    await fill("Ask at most", 12);
    await fill("Measure every", 4);
    await fill("Questions each time", 8);
    await page.getByRole("checkbox", { name: "Try the task" }).uncheck();
    await page.getByRole("button", { name: "Steps" }).click();
    await page.getByRole("spinbutton", { name: "Steps", exact: true }).fill("14"); // other fields are measured in steps
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
    await page.getByRole("region", { name: "Knowledge kept" }).getByText(/Right answers: |none of the questions right/).first().waitFor(); // the scores come a moment after the end
    await page.getByRole("img", { name: /^Knowledge kept while training over 14 steps, last [\d.]+ %/ }).waitFor();
    await page.getByText(/8 questions · .*5 measurements, [\d.]+ s, \d+ % of training/).waitFor();
    expect(await page.getByRole("region", { name: "Training rows" }).innerText()).toMatch(/720\s*of 720 rows kept[\s\S]*alpaca/);
    expect(await page.getByRole("region", { name: "Files" }).innerText()).toContain(join("runs", "1", "adapter"));
    const answers = page.getByRole("region", { name: "Knowledge: the answers" });
    await answers.getByRole("button", { name: /^All 12/ }).click();
    expect(await answers.getByRole("listitem").count()).toBeGreaterThan(2);
    expect(await seriousFindings(page)).toEqual([]);
    await window.screenshot("run");
  });

  browserTest("opens an answer, finds it by its words and hands all answers over as a file", async () => {
    const answers = page.getByRole("region", { name: "Knowledge: the answers" });
    const first = answers.getByRole("listitem").first();
    const question = await first.locator(".clamp").innerText();
    await first.getByRole("button").click();
    expect(await first.innerText()).toMatch(/Prompt, as the models read it[\s\S]*Q: [\s\S]*Tuned, as it was written/);
    expect(await seriousFindings(page)).toEqual([]);
    await answers.getByRole("searchbox").fill(question);
    await answers.getByRole("button", { name: /^All 1$/ }).waitFor();
    await answers.getByRole("searchbox").fill("no such words");
    await answers.getByText("Nothing here has “no such words” in it.").waitFor();
    await answers.getByRole("searchbox").fill("");
    await answers.getByRole("button", { name: /^All 12/ }).waitFor();
    await answers.getByRole("combobox", { name: "Order" }).selectOption("fell");
    const [download] = await Promise.all([page.waitForEvent("download"), answers.getByRole("button", { name: "CSV" }).click()]);
    expect(download.suggestedFilename()).toBe("run-1-knowledge-answers.csv");
    const rows = parse(readFileSync(await download.path(), "utf8"), { columns: true }) as Record<string, string>[];
    expect(rows).toHaveLength(12);
    const changes = rows.map((row) => Number(row["change_nats_per_token"]));
    expect(changes).toEqual(changes.toSorted((a, b) => a - b));
  });

  browserTest("shows the run in the list", async () => {
    await goTo("Runs");
    expect(await page.getByRole("row").nth(1).innerText()).toMatch(/Done[\s\S]*14/);
    expect(await seriousFindings(page)).toEqual([]);
  });

  const answers = () => page.getByRole("region", { name: /^Turn \d+: / }).getByRole("article");
  const asked = () => page.getByRole("button", { name: /^Ask / }).waitFor();

  browserTest("answers one prompt by both models side by side", async () => {
    await page.getByRole("link", { name: "Compare answers" }).or(page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Compare" })).first().click();
    await page.getByRole("tab", { name: "Conversations" }).focus();
    await page.keyboard.press("ArrowRight");
    await fill("At most", 12);
    await page.getByRole("tab", { name: "Settings" }).press("Home");
    await page.getByRole("textbox", { name: "Prompt" }).fill("Emma has 10 books and gives away 6 of them. How many are left?");
    await page.keyboard.press("Enter");
    await page.getByText(/tokens\/s together/).waitFor();
    await asked();
    expect(await answers().count()).toBe(2);
    for (const [i, name] of ["Base", "Run 1"].entries()) expect(await answers().nth(i).innerText()).toMatch(new RegExp(`^${name}\\b[\\s\\S]*\\d+ tokens? · (ended by itself|cut at the longest length)`));
    expect(await seriousFindings(page)).toEqual([]);
    await window.screenshot("compare");
  });

  browserTest("shows how surprised each model is by each token", async () => {
    await page.getByRole("button", { name: "Surprise" }).click();
    const tokens = page.getByRole("group", { name: /^Tokens of Base/ });
    await tokens.waitFor();
    await tokens.focus();
    await page.keyboard.press("ArrowRight");
    expect(await answers().first().locator(".readout").innerText()).toMatch(/Base\s+\d+\.\d\d nats\s+\S+ ?%?[\s\S]*Run 1\s+\d+\.\d\d nats/);
    expect(await page.getByRole("group", { name: "Legend of the shades" }).innerText()).toContain("nats");
    expect(await seriousFindings(page)).toEqual([]);
    await window.screenshot("compare-surprise");
    await page.getByRole("button", { name: "Differences" }).click();
  });

  browserTest("goes on, branches where a prompt is edited, and asks a checkpoint beside the others", async () => {
    await page.getByRole("textbox", { name: "Prompt" }).fill("And then?");
    await page.keyboard.press("Enter");
    await page.getByRole("region", { name: "Turn 2: And then?" }).waitFor();
    await asked();
    const first = page.getByRole("region", { name: /^Turn 1: Emma/ });
    await first.getByRole("button", { name: "Edit" }).click();
    await page.getByRole("textbox", { name: "Edit the prompt" }).fill("Emma has no books.");
    await page.keyboard.press("Enter");
    await page.getByRole("region", { name: "Turn 1: Emma has no books." }).getByLabel("Way 2 of 2").waitFor();
    await asked();
    expect(await page.getByRole("region", { name: /^Turn \d+: / }).count()).toBe(1);
    await page.getByRole("button", { name: "The answer before" }).click();
    await page.getByRole("region", { name: "Turn 2: And then?" }).waitFor();

    await page.getByRole("button", { name: "Column", exact: true }).click();
    expect(await answers().count()).toBe(0); // a new conversation
    const third = page.getByRole("combobox", { name: "Column 3" });
    expect((await third.getByRole("option").allInnerTexts()).join()).toMatch(/Run 1, last \(step 14\)/);
    await page.getByRole("textbox", { name: "Prompt" }).fill("What is 2 + 2?");
    await page.getByRole("button", { name: "Ask all 3" }).click();
    await answers().nth(2).waitFor();
    await asked();
    expect(await answers().nth(2).innerText()).toMatch(/^Run 1, step 14/);
    expect(await seriousFindings(page)).toEqual([]);
    await window.screenshot("compare-columns");
    await page.getByRole("button", { name: "Remove column 3" }).click();
  });

  browserTest("keeps conversations: found, reopened after a reload, renamed, saved, deleted unless taken back", async () => {
    const saved = page.getByRole("region", { name: "Conversations" });
    await saved.getByRole("searchbox").fill("gives away 6");
    const found = saved.getByRole("button", { name: /^Emma has 10 books/ });
    await found.waitFor();
    await saved.getByText("What is 2 + 2?").waitFor({ state: "detached" });
    await found.click();
    await page.getByRole("region", { name: "Turn 1: Emma has no books." }).waitFor(); // its newest turn
    await page.reload();
    await page.getByRole("region", { name: "Turn 1: Emma has no books." }).waitFor();
    await saved.getByRole("button", { name: "Rename" }).click();
    await page.keyboard.type("Books");
    await page.keyboard.press("Enter");
    await saved.getByRole("button", { name: /^Books/ }).waitFor();
    const [download] = await Promise.all([page.waitForEvent("download"), saved.getByRole("button", { name: "Markdown" }).click()]);
    expect(download.suggestedFilename()).toBe("books.md");
    expect(readFileSync(await download.path(), "utf8")).toMatch(/^# Books\n[\s\S]*> Emma has no books\./);
    await window.screenshot("compare-saved");
    await saved.getByRole("button", { name: "Delete the conversation: Books" }).click();
    await saved.getByRole("button", { name: /^Books/ }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Undo" }).click();
    await saved.getByRole("button", { name: /^Books/ }).waitFor();
    expect(await seriousFindings(page)).toEqual([]);
  });

  browserTest("hides which model is which until the vote, and counts it", async () => {
    await page.getByRole("checkbox", { name: "Blind, with a vote" }).check();
    await page.getByRole("textbox", { name: "Prompt" }).fill("What is the sky?");
    await page.keyboard.press("Enter");
    await page.getByRole("group", { name: "Vote" }).getByRole("button", { name: "Tie" }).waitFor();
    const turn = page.getByRole("region", { name: "Turn 1: What is the sky?" });
    const shells = await turn.getByRole("article").evaluateAll((articles) =>
      articles.map((article) => {
        const bare = (article as unknown as { cloneNode(deep: boolean): { querySelector(name: string): { remove(): void } | null; outerHTML: string } }).cloneNode(true);
        for (const part of [".text", "footer"]) bare.querySelector(part)?.remove();
        return bare.outerHTML.replace(/Left|Right/g, "SIDE");
      }),
    );
    expect(shells[0]).toBe(shells[1]);
    expect(await turn.evaluate((element) => (element as unknown as { outerHTML: string }).outerHTML)).not.toMatch(/Base|Run 1|tuned/);
    expect(await seriousFindings(page)).toEqual([]);
    await window.screenshot("compare-blind");
    await page.getByRole("button", { name: "Left is better" }).click();
    expect(await turn.getByRole("status").innerText()).toMatch(/Your vote: left is better\. Left was (Base, right Run 1|Run 1, right Base)\./);
    await page.getByText("Blind votes", { exact: true }).click();
    expect(await page.getByRole("region", { name: "Blind votes" }).innerText()).toMatch(/against the base\s+won [01], lost [01] · (0|100) % \(\d+ to \d+ %\) · p\s=\s1\.000/);
    // The run's page has the tally too, and the way back to the conversation.
    await page.getByRole("link", { name: "Votes on run 1" }).click();
    const votes = page.getByRole("region", { name: "Blind votes" });
    expect(await votes.getByRole("row").nth(1).innerText()).toMatch(/^Its adapter against the base\s+[01]\s+0\s+[01]\s+0\s+(0|100) % \(\d+ to \d+ %\)\s+p\s=\s1\.000$/);
    expect(await seriousFindings(page)).toEqual([]);
    await votes.scrollIntoViewIfNeeded();
    await window.screenshot("run-votes");
    await votes.getByRole("link", { name: "What is the sky?" }).click();
    await turn.waitFor();
    await page.getByRole("checkbox", { name: "Blind, with a vote" }).uncheck();
  });

  browserTest("has room for prompt, columns and conversations at every width", async () => {
    for (const [width, height] of [[1024, 768], [1280, 800], [1920, 1080]] as const) {
      await page.setViewportSize({ width, height });
      const inView = async (locator: ReturnType<Page["locator"]>): Promise<boolean> => {
        const box = await locator.boundingBox();
        return box !== null && box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height;
      };
      const saved = page.getByRole("region", { name: "Conversations" });
      for (const [name, part] of [["prompt", page.getByRole("textbox", { name: "Prompt" })], ["columns", page.getByRole("combobox", { name: "Column 2" })], ["search", saved.getByRole("searchbox")], ["first conversation", saved.getByRole("button").first()]] as const) {
        expect(await inView(part), `${name} at ${width} × ${height}`).toBe(true);
      }
      expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBe(0);
      expect(await seriousFindings(page)).toEqual([]);
    }
    await window.screenshot("compare-wide");
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  browserTest("gives a prompt back that failed, and says why", async () => {
    const weights = join(folder, "tiny-llama", "model.safetensors");
    renameSync(weights, `${weights}.away`);
    await page.getByRole("textbox", { name: "Prompt" }).fill("Are you there?");
    await page.keyboard.press("Enter");
    await page.getByText("The question was not answered.").waitFor();
    expect(await page.getByRole("textbox", { name: "Prompt" }).inputValue()).toBe("Are you there?");
    expect(await seriousFindings(page)).toEqual([]);
    await window.screenshot("compare-failed");
    renameSync(`${weights}.away`, weights);
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
