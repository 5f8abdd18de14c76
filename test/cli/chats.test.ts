// The command line's conversations: asking runs and their states, going on, writing out, the votes of a run.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCli } from "../../main/cli/main.ts";
import { openApp } from "../../main/services/app.ts";
import { fakeReaders, fakeWorld, jobsModule, type FakeWorld } from "../services/fake-app.ts";

let world: FakeWorld;
beforeEach(() => (world = fakeWorld()));
afterEach(() => world.remove());

const app = () => ({ home: world.home, engine: { jobsModule, graceMs: 500 }, readers: fakeReaders, pollMs: 50 });

async function cli(args: string[]) {
  let [stdout, stderr] = ["", ""];
  const io = { stdout: { write: (text: string) => (stdout += text) }, stderr: { write: (text: string) => (stderr += text) }, signal: new AbortController().signal };
  const code = await runCli(args, io, app());
  return { code, stdout, stderr, json: () => JSON.parse(stdout) as Record<string, never> };
}

const finishedRun = () => cli(["run", "--model", world.model("plain"), "--questions", world.questions, "--data", world.data, "--samples", "3", "--steps", "4", "--name", "first"]);

test("a run is asked beside its base, without naming the model, with every sampling setting", async () => {
  await finishedRun();
  const asked = await cli(["ask", "--run", "1", "hi", "--temperature", "0.7", "--top-p", "0.9", "--top-k", "40", "--min-p", "0.05", "--repetition-penalty", "1.1", "--max-tokens", "9", "--seed", "5", "--system", "Be brief.", "--surprise", "--json"]);
  expect(asked.json()).toMatchObject({
    chatId: 1,
    answers: [{ label: "Base", stopped: "eos" }, { label: "Run 1", stopped: "eos" }],
    turn: { system: "Be brief.", sampling: { temperature: 0.7, topP: 0.9, topK: 40, minP: 0.05, repetitionPenalty: 1.1, maxNewTokens: 9, seed: 5 } },
    surprise: { answers: [{ nats: [[0, 0, 0, 0], [1, 1, 1, 1]] }, {}] },
  });
  const text = (await cli(["ask", "--run", "1", "hi", "--surprise"])).stdout;
  expect(text).toMatch(/Base +│ {2}Run 1\n/);
  expect(text).toMatch(/answer of +under Base +under Run 1\n.*\nBase +0\.000 +1\.000/);
  expect((await cli(["ask", "--run", "1@last", "hi"])).stderr).toContain("Run 1 has no checkpoint.");
  expect((await cli(["ask", "--run", "one", "hi"])).stderr).toContain("@adapter, @last, @best or @STEP");
  expect((await cli(["ask", "hi"])).stderr).toContain("Give --model, --run or --chat.");
  expect((await cli(["ask", "--chat", "1", "--run", "1", "hi"])).stderr).toContain("has its models already");
}, 20_000);

test("a conversation goes on, is listed, renamed, written out and deleted", async () => {
  const model = world.model("plain");
  await cli(["ask", "--model", model, "first question"]);
  expect((await cli(["ask", "--chat", "1", "second question", "--json"])).json()).toMatchObject({ chatId: 1, turn: { parentId: 1 } });
  expect((await cli(["chats", "rename", "1", "two questions"])).stdout).toContain("is now: two questions");
  expect((await cli(["chats", "list", "--search", "SECOND"])).stdout).toMatch(/^id .*\n.*\n1 .* 2 +Base +two questions\n$/);
  expect((await cli(["chats", "list", "--search", "third"])).stdout).toBe("No conversations.\n");
  const file = join(world.folder, "chat.json");
  await cli(["chats", "export", "1", "--format", "json", "--out", file]);
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ format: "nullspace-conversation", title: "two questions", turns: [{ prompt: "first question" }, { prompt: "second question" }] });
  expect((await cli(["chats", "export", "1"])).stdout).toMatch(/^# two questions\n[\s\S]*## Turn 2, after turn 1\n[\s\S]*> second question\n\n### Base\n\npid \d+ says hello/);
  expect((await cli(["chats", "delete", "1"])).code).toBe(0);
  expect((await cli(["chats", "export", "1"])).stderr).toContain("There is no conversation 1.");
});

test("runs show tells the votes on a run; reset-votes forgets them", async () => {
  await finishedRun();
  const opened = openApp(app());
  const { chats } = opened.services;
  for (let i = 0; i < 3; i++) {
    const chat = { model: world.model("plain"), subjects: [{ kind: "base" as const }, { kind: "run" as const, runId: 1, at: "adapter" as const }], template: "auto" as const, isBlind: true };
    for await (const event of chats.ask({ chat, after: null, prompt: "hi", system: "", sampling: { temperature: 0, topP: 1, topK: 0, minP: 0, repetitionPenalty: 1, maxNewTokens: 4, seed: 0, width: "float32" as const } })) {
      if (event.type === "done") chats.votes.vote(event.turn.id, "tie");
    }
  }
  await opened.close();
  expect((await cli(["runs", "show", "1"])).stdout).toMatch(/Blind votes:\n.*won +lost +ties.*\n.*\nits adapter against the base +0 +0 +3 +0/);
  expect((await cli(["runs", "reset-votes", "1"])).stdout).toBe("3 votes on run 1 are forgotten.\n");
  expect((await cli(["runs", "show", "1"])).stdout).not.toContain("Blind votes");
}, 20_000);
