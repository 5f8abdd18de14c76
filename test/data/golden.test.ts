// Our data path against the reference files in ../shared: ids, labels, calibration windows.

import { readFile } from "node:fs/promises";
import { describe, expect } from "vitest";
import { openTokenizer } from "../../native-models/checkpoint/tokenizer.ts";
import { calibrationWindows } from "../../native-models/data/calibration-text.ts";
import { encodeRow } from "../../native-models/data/encode.ts";
import { readQuestions } from "../../native-models/data/questions.ts";
import { openRows } from "../../native-models/data/rows/open.ts";
import { goldenFile, goldenTest, realModel, sharedData } from "../support/shared-paths.ts";
import { readInts } from "./read-ints.ts";

const width = 192;

describe("the data path equals the reference", () => {
  goldenTest("64 GSM8K rows in the Alpaca prompt give the reference ids and labels, EOS trained though it is the pad", async () => {
    const tokenizer = openTokenizer(realModel());
    const file = await readFile(goldenFile("train_batches.safetensors"));
    const [ids, labels, mask] = [readInts(file, "input_ids"), readInts(file, "labels"), readInts(file, "attention_mask")];
    const source = await openRows(sharedData("gsm8k.train.jsonl"));
    expect(source.format.name).toBe("question/answer");
    for (let row = 0; row < 64; row++) {
      const kept = mask.values.subarray(row * width, (row + 1) * width).reduce((sum, one) => sum + one, 0);
      const [start, end] = [row * width, row * width + kept];
      const encoded = encodeRow(await source.row(row), tokenizer, "alpaca");
      // the reference cut longer rows at the end of its batch
      expect(kept).toBe(Math.min(width, encoded.ids.length));
      expect([...encoded.ids.subarray(0, kept)]).toEqual([...ids.values.subarray(start, end)]);
      expect([...encoded.isTrained.subarray(0, kept)]).toEqual([...labels.values.subarray(start, end)].map((label) => (label === -100 ? 0 : 1)));
    }
    await source.close();
  });

  goldenTest("the first 16 × 256 tokens of the NQ calibration questions are the reference's", async () => {
    const questions = await readQuestions(sharedData("nq_open.calibration.jsonl"));
    const windows = calibrationWindows(questions, openTokenizer(realModel()), { samples: 16, length: 256, seed: null });
    const reference = readInts(await readFile(goldenFile("gram.safetensors")), "input_ids");
    expect(reference.shape).toEqual([16, 256]);
    expect([...windows.ids]).toEqual([...reference.values]);
    expect(windows.warnings).toEqual([]);
  });

  goldenTest("the NQ-open files read whole", async () => {
    expect(await readQuestions(sharedData("nq_open.calibration.jsonl"))).toHaveLength(2000);
    expect(await readQuestions(sharedData("nq_open.probe.jsonl"))).toHaveLength(1610);
  });
});
