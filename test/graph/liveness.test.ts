// What a run of a graph holds, against sums by hand, and the arena against its own rules.

import { describe, expect, test } from "vitest";
import { createArena } from "../../native-models/graph/arena.ts";
import { GraphBuilder } from "../../native-models/graph/builder.ts";
import { memoryEvents, peakLiveBytes, type LiveTensor } from "../../native-models/graph/liveness.ts";

const megabyte = 1 << 20;

function chain(build: (g: GraphBuilder) => void): GraphBuilder {
  const g = new GraphBuilder();
  build(g);
  return g;
}

describe("what is alive", () => {
  test("a value is freed after its last reader: a chain holds two at a time, its result stays", () => {
    const g = chain((builder) => {
      const x = builder.input("x", "float32", ["N", 4]);
      builder.output("y", builder.exp(builder.exp(builder.exp(x))));
    });
    expect(peakLiveBytes(g.graph(), { N: 10 }).peakBytes).toBe(2 * 10 * 4 * 4);
  });

  test("a value that is read again later is held until then", () => {
    const g = chain((builder) => {
      const x = builder.input("x", "float32", ["N", 4]);
      const early = builder.exp(x);
      builder.output("y", builder.add(builder.exp(builder.exp(early)), early));
    });
    expect(peakLiveBytes(g.graph(), { N: 10 }).peakBytes).toBe(3 * 160);
  });

  test("reshapes are views, softmax writes over its input, given outputs are the caller's", () => {
    const g = chain((builder) => {
      const x = builder.input("x", "float32", ["N", 4]);
      const scores = builder.reshape(builder.exp(x), [1, "N", 4]);
      builder.output("y", builder.exp(builder.softmax(scores)));
    });
    expect(peakLiveBytes(g.graph(), { N: 10 }).peakBytes).toBe(2 * 160);
    expect(peakLiveBytes(g.graph(), { N: 10 }, (name) => name === "y").peakBytes).toBe(160);
  });

  test("what depends on weights and constants alone is not held by a run", () => {
    const g = chain((builder) => {
      const weight = builder.weight("w", "bfloat16", [1000, 1000], { file: "f", offsetBytes: 0, sizeBytes: 2e6 });
      const x = builder.input("x", "float32", ["N", 1000]);
      builder.output("y", builder.linear(x, builder.cast(weight, "float32")));
    });
    expect(peakLiveBytes(g.graph(), { N: 2 }).peakBytes).toBe(2 * 1000 * 4);
  });

  test("symbols multiply and add up; one without a number is named", () => {
    const g = chain((builder) => {
      const [a, b] = [builder.input("a", "float32", ["3*T", 2]), builder.input("b", "float32", ["P", 2])];
      builder.output("y", builder.concat([a, b], 0));
    });
    expect(peakLiveBytes(g.graph(), { T: 5, P: 7 }).peakBytes).toBe((15 + 7) * 2 * 4);
    expect(() => peakLiveBytes(g.graph(), { T: 5 })).toThrow(/No size is given for P/);
  });

  test("takings and givings of one run cancel out, but for its outputs", () => {
    const g = chain((builder) => {
      const x = builder.input("x", "float32", ["N", 4]);
      builder.output("y", builder.mul(builder.sigmoid(x), builder.exp(x)));
    });
    const left = memoryEvents(g.graph(), { N: 3 }).reduce((sum, event) => sum + ("takes" in event ? event.takes.bytes : -event.gives.bytes), 0);
    expect(left).toBe(3 * 4 * 4);
  });
});

describe("the arena", () => {
  const tensor = (bytes: number): LiveTensor => ({ bytes, shape: [bytes / 4], op: "test" });
  const touched = (...runs: Parameters<ReturnType<typeof createArena>["play"]>[0][]): number => {
    const arena = createArena();
    for (const events of runs) arena.play(events);
    return arena.touchedBytes() / megabyte;
  };

  test("memory that is given back is used again, also by the next run", () => {
    const [a, b] = [tensor(8 * megabyte), tensor(8 * megabyte)];
    const events = [{ takes: a }, { gives: a }, { takes: b }, { gives: b }];
    expect(touched(events, events)).toBe(8);
  });

  test("two at once take two", () => {
    const [a, b] = [tensor(8 * megabyte), tensor(8 * megabyte)];
    expect(touched([{ takes: a }, { takes: b }])).toBe(16);
  });

  test("neighbours that are free join: a larger one fits into both", () => {
    const [all, a, b, c] = [tensor(16 * megabyte), tensor(4 * megabyte), tensor(4 * megabyte), tensor(12 * megabyte)];
    expect(touched([{ takes: all }, { gives: all }, { takes: a }, { takes: b }, { gives: a }, { gives: b }, { takes: c }])).toBe(16);
  });

  test("a free piece of less than twice the request is not cut: its rest is lost while it is held", () => {
    const [all, a, b] = [tensor(16 * megabyte), tensor(9 * megabyte), tensor(4 * megabyte)];
    expect(touched([{ takes: all }, { gives: all }, { takes: a }, { takes: b }])).toBe(16 + 4);
  });

  test("a hole between two that stay is too small for a larger one: this is what fragments cost", () => {
    const [a, b, c, d] = [tensor(5 * megabyte), tensor(1 * megabyte), tensor(1 * megabyte), tensor(6 * megabyte)];
    expect(touched([{ takes: a }, { takes: b }, { takes: c }, { gives: b }, { gives: a }, { takes: tensor(2 * megabyte) }, { takes: d }])).toBeGreaterThan(2 + 6 + 1);
  });
});
