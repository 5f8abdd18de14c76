// Writes what a start looks like into a folder: report.json, heat.svg over all layers, and a picture a layer.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../native-models/errors.ts";
import type { StartReportEvent } from "../rpc/contract.ts";
import { drawHeat } from "../services/pictures/start-heat.ts";
import { drawLayer } from "../services/pictures/start-layer.ts";
import { paper } from "../services/pictures/svg.ts";
import type { Context } from "./context.ts";

export async function writeStartReport(context: Context, events: AsyncIterable<StartReportEvent>, folder: string): Promise<void> {
  for await (const event of events) {
    if (event.type === "progress") {
      context.progress.show(event.progress);
      continue;
    }
    const { report } = event;
    const files = new Map([
      ["report.json", `${JSON.stringify(report)}\n`],
      ["heat.svg", drawHeat(report, paper).svg],
      ...Array.from({ length: report.layers }, (_, layer) => [`layer-${String(layer).padStart(2, "0")}.svg`, drawLayer(report, layer, paper)] as const),
    ]);
    try {
      mkdirSync(folder, { recursive: true });
      for (const [name, text] of files) writeFileSync(join(folder, name), text);
    } catch (cause) {
      throw new UserError({ what: `The report cannot be written: ${(cause as Error).message}.`, where: folder, fix: "Choose a folder that can be written to." }, { cause });
    }
    context.note(`Report: ${files.size} files in ${folder}`);
  }
  context.signal.throwIfAborted();
}
