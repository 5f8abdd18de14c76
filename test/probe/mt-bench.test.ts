// Instruction following: turns, the judge behind an address or in a folder, and going on after it failed.

import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ProbeAnswer } from "../../main/engine/events.ts";
import type { JudgeSettings, ProbeJob } from "../../main/engine/answer-jobs.ts";
import type { ProbeResult } from "../../main/engine/job-results.ts";
import { runProbe } from "../../main/engine/jobs/probe.ts";
import { chatEndpoint, type EndpointSettings } from "../../native-models/probe/chat-endpoint.ts";
import { judgeMessages, readRating } from "../../native-models/probe/mt-judge.ts";
import { writeTinyModel } from "../support/tiny-model.ts";

type Reply = { status: number; body: string; headers?: Record<string, string> } | "silence";
const verdict = (text: string): Reply => ({ status: 200, body: JSON.stringify({ choices: [{ message: { role: "assistant", content: text } }] }) });

let server: Server;
let url: string;
let seen: { path: string; headers: IncomingHttpHeaders; body: { model: string; messages: { content: string }[]; temperature: number; max_tokens: number }; atMs: number }[];
/** What the n-th request is answered. */
let reply: (n: number) => Reply;

beforeEach(async () => {
  seen = [];
  reply = () => verdict("Fine. Rating: [[7]]");
  server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => (text += part));
    request.on("end", () => {
      seen.push({ path: request.url ?? "", headers: request.headers, body: JSON.parse(text) as (typeof seen)[number]["body"], atMs: performance.now() });
      const answer = reply(seen.length);
      if (answer !== "silence") response.writeHead(answer.status, answer.headers).end(answer.body);
    });
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

test.each<[string, number | null]>([
  ["Good. Rating: [[8]]", 8],
  ["[[7.5]] and then [[3]]", 7.5],
  ["Rating: [6]", 6],
  ["[1] is a footnote, [[9]] is the rating", 9],
  ["[[11]]", null],
  ["[[0]]", null],
  ["Rating: 8", null],
  ["", null],
])("the verdict %j is rated %j", (text, rating) => expect(readRating(text)).toBe(rating));

test("the judge sees the conversation so far, the references, and which answer to rate", () => {
  const [first] = judgeMessages({ turns: ["One?"], answers: ["1"], references: [] });
  expect(first!.content).toContain("One?");
  expect(first!.content).not.toMatch(/reference|turns/);
  const [second] = judgeMessages({ turns: ["One?", "Two?"], answers: ["1", "2"], references: ["uno"] });
  for (const part of ["One?", "Two?", "uno", "the last answer", "[[5]]"]) expect(second!.content).toContain(part);
});

describe("a model behind an address", () => {
  const settings = (more: Partial<EndpointSettings> = {}): EndpointSettings => ({ url, model: "judge", keyFrom: null, newTokens: 64, timeoutMs: 1000, perMinute: null, ...more });
  const ask = (more: Partial<EndpointSettings> = {}, env: NodeJS.ProcessEnv = {}) =>
    chatEndpoint(settings(more), { env, firstWaitMs: 5 }).ask([{ role: "user", content: "rate" }], new AbortController().signal);

  test("is asked greedily, with the key of the environment", async () => {
    expect(await ask({ keyFrom: "JUDGE_KEY" }, { JUDGE_KEY: "sk-secret" })).toBe("Fine. Rating: [[7]]");
    expect(seen[0]).toMatchObject({ path: "/v1/chat/completions", headers: { authorization: "Bearer sk-secret" }, body: { model: "judge", temperature: 0, max_tokens: 64 } });
    await ask({ url: `${url}/chat/completions` });
    expect(seen[1]).toMatchObject({ path: "/v1/chat/completions" });
    expect(seen[1]!.headers.authorization).toBeUndefined();
  });

  test("is tried again after too many requests, a fault, and silence", async () => {
    reply = (n) => [{ status: 429, body: "slow down", headers: { "retry-after": "0" } }, { status: 503, body: "" }, "silence" as const][n - 1] ?? verdict("[[5]]");
    expect(await ask({ timeoutMs: 1000 })).toBe("[[5]]");
    expect(seen).toHaveLength(4);
  });

  test("is given up after six tries, and the last problem is told", async () => {
    reply = () => ({ status: 500, body: "broken" });
    await expect(ask()).rejects.toMatchObject({ what: expect.stringContaining("answers 500: broken, 6 times") });
    expect(seen).toHaveLength(6);
  });

  test("a refusal is told at once, without the key", async () => {
    reply = () => ({ status: 401, body: "bad key sk-secret" });
    await expect(ask({ keyFrom: "JUDGE_KEY" }, { JUDGE_KEY: "sk-secret" })).rejects.toMatchObject({ what: expect.stringContaining("answers 401: bad key …"), fix: "Check the key in JUDGE_KEY." });
    expect(seen).toHaveLength(1);
  });

  test.each<[string, Partial<EndpointSettings>, string]>([
    ["no address", { url: "judge" }, "is no web address"],
    ["another protocol", { url: "file:///etc/passwd" }, "is no http or https address"],
    ["a key in the address", { url: "https://user:key@example.com/v1" }, "holds a name or password"],
    ["a variable that is not set", { keyFrom: "NOT_SET" }, "NOT_SET is not set"],
  ])("%s is refused", (_, more, what) => expect(() => chatEndpoint(settings(more), { env: {} })).toThrow(what));

  test("something that is no chat completion is told as such", async () => {
    reply = () => ({ status: 200, body: "<html>" });
    await expect(ask()).rejects.toMatchObject({ what: expect.stringContaining("something else than a chat completion: <html>") });
  });

  test("requests keep the rate", async () => {
    const endpoint = chatEndpoint(settings({ perMinute: 600 }), { env: {} });
    await Promise.all([1, 2, 3].map(() => endpoint.ask([], new AbortController().signal)));
    const times = seen.map(({ atMs }) => atMs).sort((a, b) => a - b);
    expect(times[2]! - times[0]!).toBeGreaterThan(190); // 100 ms apart, less the timer's own error
  });

  test("cancelling ends a request and the waits", async () => {
    reply = () => "silence";
    const controller = new AbortController();
    const asked = chatEndpoint(settings({ timeoutMs: 60_000 }), { env: {} }).ask([], controller.signal);
    setTimeout(() => controller.abort(new Error("stop")), 50);
    await expect(asked).rejects.toThrow("stop");
  });
});

describe("a probe of two turns", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "nullspace-mt-"));
    writeTinyModel(join(folder, "model"), { maxPositions: 2048 });
    const rows = [{ turns: ["Say one.", "Say two."], reference: ["one", "two"] }, { turns: ["Say a.", "Say b."] }];
    writeFileSync(join(folder, "mt.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const endpoint = (): JudgeSettings => ({ kind: "endpoint", url, model: "judge", keyFrom: null, newTokens: 64, timeoutMs: 5000, perMinute: null });
  async function probe(more: Partial<ProbeJob> = {}): Promise<{ answers: ProbeAnswer[]; result: ProbeResult }> {
    const answers: ProbeAnswer[] = [];
    const job: ProbeJob = {
      kind: "probe", model: join(folder, "model"), adapter: null, questions: join(folder, "mt.jsonl"), task: "mt_bench", shots: 0, limit: null, batch: 4,
      maxNewTokens: 6, style: "knowledge", template: "alpaca", judge: endpoint(), ...more,
    };
    const result = await runProbe(job, (event) => void (event.type === "answer" && answers.push(event)), new AbortController().signal).catch((error: unknown) => {
      throw Object.assign(error as Error, { answers });
    });
    return { answers, result };
  }

  test("every turn is an answer, the second one with the first in view, and rated", async () => {
    reply = (n) => verdict(n % 2 === 0 ? "Poor. [[3]]" : "Good. [[9]]");
    const { answers, result } = await probe();
    const asked = answers.filter((answer) => answer.verdict === null);
    const judged = answers.filter((answer) => answer.verdict !== null);
    expect(asked.map(({ index }) => index).sort()).toEqual([0, 1, 10, 11].sort());
    const second = asked.find(({ index }) => index === 1)!;
    expect(second.prompt).toContain(asked.find(({ index }) => index === 0)!.answer);
    expect(second).toMatchObject({ question: "(Turn 2) Say two.", accepted: ["two"] });
    expect(judged).toHaveLength(4);
    expect(judged.every(({ verdict: said, isExact, measures }) => isExact === said!.includes("[[9]]") && measures["rating"] === (isExact ? 9 : 3))).toBe(true);
    expect(result.base).toMatchObject({ questions: 4, exactMatch: 0.5, logLikelihoodNats: null, measures: { rated: 1, rating: 6 } });
    expect(seen.every(({ body }) => body.messages[0]!.content.includes("Say "))).toBe(true);
  });

  test("after the judge failed, what was answered and judged is not done again", async () => {
    reply = (n) => (n === 3 ? { status: 400, body: "no more" } : verdict("[[8]]"));
    const error = (await probe().catch((reason: unknown) => reason)) as Error & { answers: ProbeAnswer[] };
    expect(error.message).toContain("answers 400: no more");
    const before = [...new Map(error.answers.map((answer) => [answer.index, answer])).values()];
    expect(before).toHaveLength(4);
    const judgedBefore = before.filter((answer) => answer.verdict !== null).length;

    expect(judgedBefore).toBe(3);

    seen = [];
    reply = () => verdict("[[8]]");
    const { answers, result } = await probe({ answered: before });
    expect(seen).toHaveLength(1);
    expect(answers).toHaveLength(1);
    expect(result.base.measures).toMatchObject({ rating: 8, "turn 1": 8, "turn 2": 8 });
  });

  test("what the base said and how it was rated is taken from another probe, turn by turn", async () => {
    reply = () => verdict("[[8]]");
    const known = [...new Map((await probe()).answers.map((answer) => [answer.index, answer])).values()];
    seen = [];
    const { answers, result } = await probe({ known });
    expect(seen).toHaveLength(0);
    expect(answers).toHaveLength(4);
    expect(result.base.measures).toMatchObject({ rating: 8 });

    // A first turn that is not taken may be answered otherwise: then the second is asked too.
    reply = () => verdict("[[2]]");
    const changed = known.map((answer) => (answer.index === 0 ? { ...answer, accepted: ["other"] } : answer.index === 1 ? { ...answer, prompt: "other" } : answer));
    expect((await probe({ known: changed })).result.base.measures).toMatchObject({ rating: 5 });
    expect(seen).toHaveLength(2);
  });

  test("a verdict without a rating is kept and not counted", async () => {
    reply = (n) => verdict(n === 1 ? "I cannot say." : "[[4]]");
    const { answers, result } = await probe();
    expect(answers.filter(({ verdict: said }) => said === "I cannot say.")).toMatchObject([{ measures: { rated: 0 }, isExact: false }]);
    expect(result.base.measures).toMatchObject({ rated: 0.75, rating: 4 });
  });

  test("a model folder judges too", async () => {
    const { answers } = await probe({ judge: { kind: "model", folder: join(folder, "model"), newTokens: 5, batch: 4 } });
    expect(answers.filter((answer) => answer.verdict !== null)).toHaveLength(4);
    expect(seen).toHaveLength(0);
  });

  test("questions answered before are not asked again in other tasks either", async () => {
    writeFileSync(join(folder, "q.jsonl"), ["a", "b", "c"].map((question) => JSON.stringify({ question, answer: ["x"] })).join("\n"));
    const task: Partial<ProbeJob> = { task: "nq_open", questions: join(folder, "q.jsonl"), judge: null };
    const { answers, result } = await probe(task);
    const again = await probe({ ...task, answered: answers.slice(0, 2) });
    // Another batch rounds otherwise: 1e-5 nats is far above float32's last bit of these sums, far below any use.
    const near = (nats: number | null) => expect.closeTo(nats ?? NaN, 5) as number;
    expect(again.answers).toEqual(answers.slice(2).map((answer) => ({ ...answer, logLikelihoodNats: near(answer.logLikelihoodNats) })));
    expect(again.result.base).toEqual({ ...result.base, logLikelihoodNats: near(result.base.logLikelihoodNats) });
  });
});
