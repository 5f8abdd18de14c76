// Rows with a common beginning, computed once, against each row alone.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TrainRow } from "../../native-models/programs/train-program.ts";
import { createValidator } from "../../native-models/training/validator.ts";
import type { Checkpoint } from "../../native-models/checkpoint/types.ts";
import { tinyAdapters, tinyCheckpoint, tinyRow, tinyTrainer } from "../support/tiny-training.ts";

let folder: string;
let checkpoint: Checkpoint;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-prefix-"));
  checkpoint = tinyCheckpoint(folder, {});
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const after = (beginning: TrainRow, own: TrainRow): TrainRow => ({ ids: [...Array.from(beginning.ids), ...Array.from(own.ids)], isTrained: [...Array.from(beginning.ids).map(() => 0), ...Array.from(own.isTrained)] });

test("every row has the likelihood it has alone, whatever they share", async () => {
  const tensors = tinyAdapters(checkpoint, 3, 5);
  const { trainer } = await tinyTrainer({ checkpoint, kind: "both", rank: 3, tensors });
  const program = { checkpoint, trainer, rank: 3, kind: "both", maxLength: 64, tellsTokens: true, session: { threads: 1 } } as const;
  const joined = await createValidator({ ...program, by: "forward" });
  const alone = await createValidator({ ...program, by: "gradients" });
  const beginning = tinyRow(21, 0, 1);
  const cases: Record<string, TrainRow[]> = {
    "a long beginning": [5, 9, 3, 14].map((length, i) => after(beginning, tinyRow(length, 1 + (i % 3), 10 + i))),
    "nothing": [tinyRow(6, 2, 3), tinyRow(11, 4, 4)],
    "all but the answer": [after(beginning, { ids: [7, 9, 30], isTrained: [0, 1, 1] }), after(beginning, { ids: [7, 41], isTrained: [0, 1] })],
    "one row": [after(beginning, tinyRow(4, 2, 9))],
  };
  for (const [name, rows] of Object.entries(cases)) {
    const [together, apart] = [await joined.likelihoods([rows]), await alone.likelihoods([rows])];
    const worst = Math.max(...together.map(({ nats }, i) => Math.abs(nats - apart[i].nats)));
    console.log(`${name}: worst difference ${worst.toExponential(1)} nats a token`);
    expect(together).toHaveLength(rows.length);
    expect(worst, name).toBeLessThan(2e-5); // float32: the same sums in other lengths
  }
});
