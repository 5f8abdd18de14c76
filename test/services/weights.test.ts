// Which weights answers are computed with, and when that is measured.

import { describe, expect, test } from "vitest";
import type { Engine } from "../../main/engine/host.ts";
import type { JobSpec } from "../../main/engine/jobs.ts";
import { readers, type MeasuredWidth, type Readers } from "../../main/engine/readers.ts";
import { weightsChoice } from "../../main/services/weights.ts";
import { fakeMeasured } from "./fake-app.ts";

const home = { folder: "/store", database: "", runs: "", cache: "/store/cache", logs: "" };
const noRoom = { what: "300 MB are needed, but the disk has 20 MB free.", where: "/store/cache", fix: "Free some space." };

/** A choice over an engine that measures `found`, or fails for want of room; `known` was measured before. */
function choosing({ known = null, found = fakeMeasured, hasRoom = true }: { known?: MeasuredWidth | null; found?: typeof fakeMeasured; hasRoom?: boolean }) {
  const jobs: JobSpec[] = [];
  const warnings: string[] = [];
  const engine: Engine = {
    async run(spec) {
      jobs.push(spec);
      if (!hasRoom) return { type: "failed", error: { ...noRoom, isBug: false, stack: null }, hasDied: false, lastCheckpointStep: null };
      return { type: "done", result: { kind: "measure-width", measured: { ...found, width: "int8" }, elapsedMs: 1 } as never };
    },
    close: async () => {},
  };
  const own: Readers = { ...readers, measuredWidth: () => known };
  const weights = weightsChoice({ engine, readers: own, home }, { fingerprintOf: () => "print" });
  const choose = (wanted: "auto" | "float32" | "int8" | "int4" | undefined) =>
    weights.choose("/model", wanted, { onProgress: () => {}, onWarning: ({ what }) => void warnings.push(what), signal: new AbortController().signal });
  return { choose, jobs, warnings };
}

describe("the weights of answers", () => {
  test("left to the app are rounded to 8 bits where a measurement speaks for it, which is made once", async () => {
    const first = choosing({});
    const { settings, view } = await first.choose("auto");
    expect(settings.width).toBe("int8");
    expect(view.words).toBe("Answers computed with 8-bit weights: 2.6× as fast; loss on 48 questions of the probe set 3.412 against 3.409 nats/token.");
    expect(first.jobs.map(({ kind }) => kind)).toEqual(["measure-width"]);
    const second = choosing({ known: { ...fakeMeasured, width: "int8" } });
    expect((await second.choose("auto")).settings.width).toBe("int8");
    expect(second.jobs).toEqual([]);
  });

  test.each([
    { name: "they lose too much", found: { ...fakeMeasured, lossNats: 3.43 } },
    { name: "they are no faster", found: { ...fakeMeasured, tokensPerSecond: 24 } },
  ])("left to the app stay as they are where $name, and that is said", async ({ found }) => {
    const { settings, view } = await choosing({ found }).choose("auto");
    expect(settings.width).toBe("float32");
    expect(view.words).toContain("with the weights as they are: 8-bit ones are");
  });

  test("asked for by name are used whatever was measured; as they are, nothing is measured", async () => {
    const four = await choosing({ known: { ...fakeMeasured, width: "int4", lossNats: 9, textTokens: 8192 } }).choose("int4");
    expect(four.settings.width).toBe("int4");
    expect(four.view.words).toContain("4-bit weights, rounded by 8192 tokens of sample text: 2.6× as fast; loss");
    const plain = choosing({});
    expect((await plain.choose("float32")).view.measured).toBeNull();
    expect((await plain.choose(undefined)).settings.width).toBe("float32");
    expect(plain.jobs).toEqual([]);
  });

  test("stay as they are, with a warning, where the disk has no room and the choice was the app's; else that is the error", async () => {
    const { choose, warnings } = choosing({ hasRoom: false });
    expect((await choose("auto")).settings.width).toBe("float32");
    expect(warnings).toEqual([`${noRoom.what} The weights are used as they are.`]);
    await expect(choose("int4")).rejects.toThrow(noRoom.what);
  });
});
