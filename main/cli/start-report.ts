// Writes what a start looks like into a folder: report.json, a heat map over all layers and a picture a layer, as SVG, PNG
// or both.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../native-models/errors.ts";
import type { StartReportEvent } from "../rpc/contract.ts";
import { openPngPainter } from "../services/pictures/png.ts";
import { drawHeat } from "../services/pictures/start-heat.ts";
import { drawLayer } from "../services/pictures/start-layer.ts";
import { paper } from "../services/pictures/svg.ts";
import type { Context } from "./context.ts";

export const pictureFormats = ["svg", "png", "both"] as const;
export type PictureFormat = (typeof pictureFormats)[number];

export async function writeStartReport(context: Context, events: AsyncIterable<StartReportEvent>, folder: string, format: PictureFormat): Promise<void> {
  for await (const event of events) {
    if (event.type === "progress") {
      context.progress.show(event.progress);
      continue;
    }
    const { report } = event;
    const pictures: [string, string][] = [
      ["heat", drawHeat(report, paper).svg],
      ...Array.from({ length: report.layers }, (_, layer): [string, string] => [`layer-${String(layer).padStart(2, "0")}`, drawLayer(report, layer, paper)]),
    ];
    const paint = format === "svg" ? null : await openPngPainter();
    try {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "report.json"), `${JSON.stringify(report)}\n`);
      for (const [name, svg] of pictures) {
        context.signal.throwIfAborted();
        if (format !== "png") writeFileSync(join(folder, `${name}.svg`), svg);
        if (paint !== null) writeFileSync(join(folder, `${name}.png`), paint(svg));
      }
    } catch (cause) {
      if (context.signal.aborted) throw cause;
      throw new UserError({ what: `The report cannot be written: ${(cause as Error).message}.`, where: folder, fix: "Choose a folder that can be written to." }, { cause });
    }
    context.note(`Report: report.json and ${pictures.length} pictures (${format === "both" ? "SVG and PNG" : format.toUpperCase()}) in ${folder}`);
  }
  context.signal.throwIfAborted();
}
