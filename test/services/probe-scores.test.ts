// A probe's scores with their uncertainty, in numbers and in words; its answers question by question, and as files.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runCli } from "../../main/cli/main.ts";
import type { AnswerMark } from "../../main/db/probe-answers.ts";
import { probeParams } from "../../main/services/params/probes.ts";
import { scoresOf } from "../../main/services/probe-scores.ts";
import { scoreWords } from "../../main/services/score-words.ts";
import { collect, fakeReaders, fakeWorld, jobsModule, until, type FakeWorld } from "./fake-app.ts";

/** Questions of each kind; the likelihood of every right answer changes by about `nats`. */
function marks({ kept = 0, lost = 0, gained = 0, wrong = 0 }, nats = 0): AnswerMark[] {
  const kinds = [[kept, true, true], [lost, true, false], [gained, false, true], [wrong, false, false]] as const;
  return kinds
    .flatMap(([count, base, tuned]) => Array.from({ length: count }, () => ({ base, tuned })))
    .flatMap(({ base, tuned }, index) => [
      { index, subject: "base", isExact: base, isContained: true, logLikelihoodNats: -2 },
      { index, subject: "tuned", isExact: tuned, isContained: tuned, logLikelihoodNats: -2 + nats + 0.1 * Math.cos(7 * index) },
    ]);
}

describe("scores", () => {
  test("are shares with Wilson's interval, and the paired change between base and tuned", () => {
    const { base, tuned, change } = scoresOf(marks({ kept: 114, lost: 8, gained: 2, wrong: 76 }, -0.05));
    expect(base.exact).toMatchObject({ right: 122, asked: 200, value: 0.61 });
    expect(base.exact.low).toBeCloseTo(0.541, 3); // Wilson by hand
    expect(base.exact.high).toBeCloseTo(0.675, 3);
    expect(tuned!.exact.value).toBe(0.58);
    expect(base.contains.value).toBe(1);
    expect(change!.flips).toEqual({ lost: 8, gained: 2, kept: 114, wrong: 76 });
    expect(change!.exact.pValue).toBeCloseTo(112 / 1024, 10); // 2 · (1 + 10 + 45) / 2^10
    expect(change!.exact.retention!.value).toBeCloseTo(116 / 122, 10);
    // Delta method: sd of (tuned − ρ·base)/mean(base) over questions, here √(10 − …)/122 ≈ 0.026 → ± 0.05
    const { low, high } = change!.exact.retention!;
    expect(low).toBeGreaterThan(0.88);
    expect(low).toBeLessThan(0.92);
    expect(high).toBeGreaterThan(0.98);
    expect(high).toBeLessThan(1.02);
    const { retention, differenceNats, pValue } = change!.likelihood!;
    expect(retention.value).toBeCloseTo(Math.exp(differenceNats.value), 12);
    expect(differenceNats.value).toBeCloseTo(-0.05, 2);
    expect(pValue).toBeLessThan(0.002);
    expect(tuned!.likelihoodNats!.low).toBeLessThan(tuned!.likelihoodNats!.value);
  });

  test("without any change everything is kept, and nothing is significant", () => {
    const { change } = scoresOf(marks({ kept: 10, wrong: 10 }).map((mark) => ({ ...mark, logLikelihoodNats: -1 })));
    expect(change!.exact).toMatchObject({ pValue: 1, difference: { value: 0, low: 0, high: 0 }, retention: { value: 1, low: 1, high: 1 } });
    expect(change!.likelihood).toMatchObject({ pValue: 1, retention: { value: 1, low: 1, high: 1 } });
  });

  test("of a base alone have no change; without likelihoods there is none of it", () => {
    const base = marks({ kept: 3, lost: 1 }).filter(({ subject }) => subject === "base");
    expect(scoresOf(base)).toMatchObject({ tuned: null, change: null, base: { exact: { right: 4 } } });
    const without = scoresOf(marks({ kept: 3 }).map((mark) => ({ ...mark, logLikelihoodNats: NaN })));
    expect(without).toMatchObject({ base: { likelihoodNats: null }, change: { likelihood: null } });
  });

  test("of ten thousand questions are there at once", () => {
    const many = marks({ kept: 4000, lost: 300, gained: 250, wrong: 5450 }, -0.02);
    const started = performance.now();
    scoresOf(many);
    const elapsedMs = performance.now() - started;
    console.log(`scores of 10 000 questions: ${elapsedMs.toFixed(0)} ms`);
    expect(elapsedMs).toBeLessThan(8000); // once a probe, beside other work
  });
});

describe("words", () => {
  const words = (style: "knowledge" | "task", ...given: Parameters<typeof marks>) => scoreWords(style, scoresOf(marks(...given)))!;

  test("say what was kept, how sure that is, and what changed", () => {
    const said = words("knowledge", { kept: 114, lost: 8, gained: 2, wrong: 76 }, -0.05);
    expect(said.headline).toBe("95 %");
    expect(said.exact).toMatch(/^Right answers: kept 95 % \(\d\d–\d+ %\), difference not significant: p = 0\.11\.$/);
    expect(said.likelihood).toMatch(/^Likelihood of right answers: kept 95\.\d % \(9\d\.\d–9\d\.\d %\), difference significant: p < 0\.001\.$|p = 0\.00\d\.$/);
    expect(said.flips).toBe("8 answers lost, 2 gained, 114 right as before, 76 wrong as before.");
  });

  test("take the likelihood where the base has few right answers", () => {
    expect(words("knowledge", { kept: 2, wrong: 60 }, -0.1)).toMatchObject({ headline: expect.stringMatching(/^9\d(\.\d)? %$/), headlineOf: "likelihood" });
    expect(words("knowledge", { wrong: 5 }, 0).exact).toContain("none of the questions right");
  });

  test("say what was learnt in points", () => {
    const said = words("task", { kept: 5, lost: 1, gained: 36, wrong: 18 }, 0.9);
    expect(said.headline).toBe("+58.3 points");
    expect(said.exact).toMatch(/^Right answers: 10 → 68 %, \+58\.3 points \(\+4\d[.\d]* to \+[67]\d?[.\d]*\), difference significant: p < 0\.001\.$/);
    expect(said.likelihood).toMatch(/^Right answers are 2\.4\d × as likely a token/);
  });
});

describe("answers", () => {
  let world: FakeWorld;
  beforeEach(() => (world = fakeWorld()));
  afterEach(() => world.remove());

  async function probed(limit: number) {
    const { services } = world.open();
    const { id } = await services.probe.start(probeParams.parse({ model: world.model("plain"), adapter: world.folder, questions: world.questions, limit }));
    await collect(services.probe.follow(id));
    return { services, id };
  }

  test("scores are stored with the probe and come with its end", async () => {
    const { services, id } = await probed(8);
    const [probe] = services.probe.list(10);
    expect(probe.scores!.change!.flips).toEqual({ lost: 2, gained: 0, kept: 2, wrong: 4 });
    expect(probe.words!.flips).toContain("2 answers lost");
    expect((await collect(services.probe.follow(id))).at(-1)).toMatchObject({ type: "ended", probe: { scores: probe.scores, words: probe.words } });
  });

  test("pages say each question's kind, its prompt and its change", async () => {
    const { services, id } = await probed(8);
    const all = { id, search: "", order: "file", offset: 0, limit: 100 } as const;
    const flips = services.probe.answers({ ...all, only: "all" }).map(({ flip }) => flip);
    expect(flips).toEqual(["kept", "wrong", "lost", "wrong", "kept", "wrong", "lost", "wrong"]);
    expect(services.probe.answers({ ...all, only: "lost" })[0]).toMatchObject({ index: 2, prompt: "Q: question 2\nA:", changeNats: 0, base: { answer: "yes" }, tuned: { answer: "no" } });
    expect(services.probe.countAnswers({ id, search: "" })).toEqual({ lost: 2, gained: 0, kept: 2, wrong: 4, all: 8 });
    expect(services.probe.countAnswers({ id, search: "question 2" })).toEqual({ lost: 1, gained: 0, kept: 0, wrong: 0, all: 1 });
  });

  test("files have every answer, as CSV and JSONL, also of a part", async () => {
    const { services, id } = await probed(1203);
    const text = async (format: "csv" | "jsonl", only: "all" | "lost" = "all") => (await collect(services.probe.exportAnswers({ id, format, only, search: "", order: "file" }))).join("");
    const rows = parse(await text("csv"), { columns: true }) as Record<string, string>[];
    expect(rows).toHaveLength(1203);
    expect(rows[2]).toMatchObject({ row: "3", question: "question 2", accepted: "yes", change: "lost", base_answer: "yes", tuned_answer: "no", base_right: "1", tuned_right: "0", change_nats_per_token: "0", prompt: "Q: question 2\nA:" });
    const lines = (await text("jsonl", "lost")).trimEnd().split("\n").map((line) => JSON.parse(line) as { change: string; base: { answer: string } });
    expect(lines).toHaveLength(301);
    expect(lines.every(({ change, base }) => change === "lost" && base.answer === "yes")).toBe(true);
  });

  test("the command line prints the intervals and writes the file, or says why it cannot", async () => {
    const cli = async (...args: string[]) => {
      let [stdout, stderr] = ["", ""];
      const io = { stdout: { write: (text: string) => (stdout += text) }, stderr: { write: (text: string) => (stderr += text) }, signal: new AbortController().signal };
      const code = await runCli(["probe", "--model", world.model("plain"), "--questions", world.questions, "--limit", "8", ...args], io, { home: world.home, engine: { jobsModule, graceMs: 500 }, readers: fakeReaders, pollMs: 50 });
      return { code, stdout, stderr };
    };
    const file = join(world.folder, "answers.csv");
    const { code, stdout } = await cli("--adapter", world.folder, "--answers", file);
    expect(code).toBe(0);
    expect(stdout).toMatch(/base +4 of 8 +50\.0 % \(21\.5 to 78\.5\)/);
    expect(stdout).toContain("contains (loose)");
    expect(stdout).toContain("2 answers lost, 0 gained, 2 right as before, 4 wrong as before.");
    expect(parse(readFileSync(file, "utf8"))).toHaveLength(9);
    const alone = join(world.folder, "alone.jsonl");
    expect((await cli("--answers", alone)).stdout).not.toContain("lost");
    expect(JSON.parse(readFileSync(alone, "utf8").split("\n")[0])).toMatchObject({ tuned: null, change: "kept" });
    expect((await cli("--answers", "answers.txt")).stderr).toContain(".csv or .jsonl");
    const nowhere = await cli("--answers", join(world.folder, "no", "such.csv"));
    expect(nowhere.code).toBe(1);
    expect(nowhere.stderr).toContain("could not be written");
  });
});

test("an older probe gets its scores when it is looked at", async () => {
  const world = fakeWorld();
  try {
    const { services } = world.open();
    const { id } = await services.probe.start(probeParams.parse({ model: world.model("plain"), adapter: world.folder, questions: world.questions, limit: 4 }));
    await collect(services.probe.follow(id));
    const before = services.probe.list(1)[0].scores;
    const { default: Database } = await import("better-sqlite3");
    const sql = new Database(join(world.home, "nullspace.db"));
    sql.exec("DELETE FROM probe_scores");
    sql.close();
    await until(() => services.probe.list(1)[0].scores !== null, "scores are there again");
    expect(services.probe.list(1)[0].scores).toEqual(before);
  } finally {
    await world.remove();
  }
});
