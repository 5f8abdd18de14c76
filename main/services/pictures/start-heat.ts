// A start over all layers: a cell a projection and layer, coloured by the share of energy that its adapter can see, on a
// logarithmic scale (faint: kept out of its reach). More maps for the task's share, effective ranks and angles.

import type { InputReport, StartReport } from "../../../native-models/starts/report.ts";
import { leastShare, percent } from "./start-layer.ts";
import { svgPicture, type Palette } from "./svg.ts";

export const projections = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] as const;
const inputOf = { q_proj: "attention", k_proj: "attention", v_proj: "attention", o_proj: "attentionOutput", gate_proj: "mlp", up_proj: "mlp", down_proj: "mlpDown" } as const;

const map = { left: 74, top: 30, row: 16, foot: 40, right: 16 };

interface HeatMap {
  title: string;
  /** Of a projection's cell; null where it is not known. */
  value: (layer: number, projection: (typeof projections)[number]) => number | null;
  text: (value: number) => string;
  /** Shares and ranks span powers of ten, angles do not. */
  isLogarithmic: boolean;
  /** Smaller values are as good as nothing and have no part in the scale. */
  least: number;
}

export interface HeatPicture {
  svg: string;
  /** Where layer l begins on the x axis and how wide it is, for a click. */
  left: number;
  cell: number;
}

export function drawHeat(report: StartReport, palette: Palette, width = 720): HeatPicture {
  const modules = new Map(report.modules.map((module) => [`${module.layer} ${module.projection}`, module]));
  const inputs = new Map(report.inputs.map((input) => [`${input.layer} ${input.input}`, input]));
  const inputAt = (layer: number, projection: (typeof projections)[number]): InputReport | undefined => inputs.get(`${layer} ${inputOf[projection]}`);
  const share = (text: "knowledge" | "task"): HeatMap => ({
    title: `Share of the ${text === "knowledge" ? "knowledge's" : "task's"} energy that the adapter sees`,
    value: (layer, projection) => modules.get(`${layer} ${projection}`)?.[`${text}Share`] ?? null,
    text: percent,
    isLogarithmic: true,
    least: leastShare,
  });
  const maps: HeatMap[] = [
    ...(["knowledge", "task"] as const).map(share).filter(({ value }) => value(0, "q_proj") !== null),
    { title: `Effective rank of the ${report.spectrumOf}`, value: (layer, projection) => inputAt(layer, projection)?.effectiveRank ?? null, text: (value) => String(Number(value.toPrecision(3))), isLogarithmic: true, least: 0 },
    ...(report.inputs.some(({ anglesDegrees }) => anglesDegrees !== null)
      ? [{ title: "Median angle between knowledge and task", value: (layer: number, projection: (typeof projections)[number]) => median(inputAt(layer, projection)?.anglesDegrees ?? null), text: (value: number) => `${value.toFixed(0)}°`, isLogarithmic: false, least: 0 }]
      : []),
  ];
  const cell = (width - map.left - map.right) / report.layers;
  const mapHeight = map.top + projections.length * map.row + map.foot;
  const svg = svgPicture({ width, height: maps.length * mapHeight, label: "The start over all layers", palette }, maps.map((each, i) => `<g transform="translate(0 ${i * mapHeight})">${drawMap(each, report.layers, cell, palette)}</g>`));
  return { svg, left: map.left, cell };
}

function drawMap({ title, value, text, isLogarithmic, least: nothing }: HeatMap, layers: number, cell: number, { ink, quiet, accent, line }: Palette): string {
  const known = projections.flatMap((projection) => Array.from({ length: layers }, (_, layer) => value(layer, projection) ?? [])).flat().filter((each) => each > nothing);
  const sorted = known.sort((a, b) => a - b);
  // A few cells far below the rest would leave no difference between the others.
  const [least, most] = known.length === 0 ? [1, 1] : [sorted[Math.floor(0.04 * sorted.length)]!, sorted.at(-1)!];
  const scaled = (found: number): number => (isLogarithmic ? Math.log(found) : found);
  const strength = (found: number): number => (most === least ? 0.5 : Math.max(0, (scaled(found) - scaled(least)) / (scaled(most) - scaled(least))));
  const every = Math.max(1, Math.ceil(28 / cell));
  const bottom = map.top + projections.length * map.row;
  return [
    `<text x="${map.left}" y="18" fill="${ink}" font-size="12" font-weight="600">${title}</text>`,
    ...projections.flatMap((projection, row) => [
      `<text x="${map.left - 8}" y="${map.top + row * map.row + 12}" text-anchor="end" fill="${quiet}">${projection.replace("_proj", "")}</text>`,
      ...Array.from({ length: layers }, (_, layer) => {
        const found = value(layer, projection);
        const [x, y, w, h] = [map.left + layer * cell, map.top + row * map.row, cell - 1, map.row - 1];
        const place = `x="${x.toFixed(1)}" y="${y}" width="${Math.max(1, w).toFixed(1)}" height="${h}"`;
        if (found === null) return `<rect ${place} fill="${line}"/>`;
        const shade = found > nothing ? 0.06 + 0.94 * strength(found) : 0.03;
        return `<rect ${place} fill="${accent}" fill-opacity="${shade.toFixed(3)}"><title>layer ${layer}, ${projection}: ${text(found)}</title></rect>`;
      }),
    ]),
    ...Array.from({ length: layers }, (_, layer) => (layer % every === 0 ? `<text x="${(map.left + (layer + 0.5) * cell).toFixed(1)}" y="${bottom + 14}" text-anchor="middle" fill="${quiet}">${layer}</text>` : "")),
    ...(known.length === 0 ? [] : [`<text x="${map.left}" y="${bottom + 30}" fill="${quiet}">layer · faintest ${text(least)} or less, strongest ${text(most)}${isLogarithmic ? ", logarithmic between" : ""}</text>`]),
  ].join("");
}

function median(values: readonly number[] | null): number | null {
  return values === null || values.length === 0 ? null : values[Math.floor(values.length / 2)]!;
}
