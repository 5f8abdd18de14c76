// The arguments of `nullspace bench`. Nothing is measured here: what would run is a stand-in that notes what it is told.

import { expect, test } from "vitest";
import type { BenchName, BenchReport } from "../../bench/report.ts";
import { help, helpText } from "../../bench/settings.ts";
import { benchCommand, type Benches } from "../../main/cli/commands/bench.ts";
import { makeContext } from "../../main/cli/context.ts";
import { runCli } from "../../main/cli/main.ts";

function output() {
  let [stdout, stderr] = ["", ""];
  const io = { stdout: { write: (text: string) => (stdout += text) }, stderr: { write: (text: string) => (stderr += text) }, signal: new AbortController().signal };
  return { io, read: () => ({ stdout, stderr }) };
}

async function bench(...args: string[]) {
  const { io, read } = output();
  const asked: { name: BenchName; settings: unknown }[] = [];
  const report = { bench: "train", comparisons: [] } as unknown as BenchReport;
  const benches: Benches = {
    help,
    helpText,
    async run(name, settings, { say }) {
      asked.push({ name, settings });
      say("Round 1 of 1");
      return { report, text: "the report" };
    },
  };
  const context = makeContext({ io, app: {}, isJson: args.includes("--json") });
  await benchCommand(context, async () => benches).parseAsync(args, { from: "user" });
  return { asked, ...read() };
}

async function cli(...args: string[]) {
  const { io, read } = output();
  const code = await runCli(["bench", ...args], io);
  return { code, ...read() };
}

test("without a name the benchmarks are listed with what each needs and how long it takes", async () => {
  const { code, stdout } = await cli();
  expect(code).toBe(0);
  for (const name of ["train", "probe", "decode", "nullspace"]) expect(stdout).toMatch(new RegExp(`^${name}\\n  .+\\n  Against: .+\\n  Needs: .+\\n  Takes: .+$`, "m"));
  const json = JSON.parse((await cli("--json")).stdout) as { benches: object };
  expect(Object.keys(json.benches)).toEqual(["train", "probe", "decode", "nullspace"]);
});

test("train's usual settings are rank 16, batch 4, eight steps, two rounds, plain LoRA", async () => {
  const { asked, stdout, stderr } = await bench("train", "--model", "/models/a");
  expect(asked).toEqual([{
    name: "train",
    settings: { model: "/models/a", rounds: 2, threads: expect.any(Number), withPeer: true, kinds: ["lora"], steps: 8, batch: 4, rank: 16, recomputed: "cheap" },
  }]);
  expect(stdout).toBe("the report\n");
  expect(stderr).toBe("Round 1 of 1\n");
});

test("each option reaches its benchmark", async () => {
  const train = await bench("train", "--model", "/m", "--kinds", "null_v1, null_v2", "--recompute", "layer", "--steps", "3", "--no-peer");
  expect(train.asked[0]).toMatchObject({ settings: { kinds: ["null_v1", "null_v2"], recomputed: "layer", steps: 3, withPeer: false } });
  const probe = await bench("probe", "--model", "/m", "--golden", "--questions", "7", "--batch", "2", "--our-batch", "16", "--new-tokens", "32");
  expect(probe.asked[0]).toMatchObject({ name: "probe", settings: { withGolden: true, questions: 7, batch: 2, ourBatch: 16, newTokens: 32, shots: 5 } });
  const nullspace = await bench("nullspace", "--model", "/m", "--sizes", "4096,11008", "--wide-rank", "64", "--samples", "16");
  expect(nullspace.asked[0]).toMatchObject({ name: "nullspace", settings: { sizes: [4096, 11008], officialSizes: [4096], wideRank: 64, samples: 16, rounds: 1 } });
});

test("--json prints the report alone", async () => {
  const { stdout } = await bench("train", "--model", "/m", "--json");
  expect(JSON.parse(stdout)).toEqual({ bench: "train", comparisons: [] });
});

test("what cannot be measured is refused as a user's error, before anything runs", async () => {
  for (const args of [["train", "--kinds", "dora"], ["train", "--recompute", "all"], ["nullspace", "--sizes", "4096,wide"], ["train", "--steps", "0", "--model", "/m"], ["probe", "--batch", "0", "--model", "/m"], ["train", "--model", "/no/such/model"], ["inference"]]) {
    const { code, stdout } = await cli(...args, "--json");
    expect(code, args.join(" ")).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { isBug: false } });
  }
});
