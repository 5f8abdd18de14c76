// The plan of a job's training rows, as the app makes it for a preview.

import type { TrainJob } from "../../main/engine/train-jobs.ts";
import { openTokenizer } from "../../native-models/checkpoint/tokenizer.ts";
import { planRows, type RowPlan } from "../../native-models/data/plan.ts";
import { openRows } from "../../native-models/data/rows/open.ts";

export async function planOf({ model, data, template, length }: TrainJob): Promise<RowPlan> {
  const source = await openRows(data);
  try {
    return await planRows(source, openTokenizer(model), { template, length });
  } finally {
    await source.close();
  }
}
