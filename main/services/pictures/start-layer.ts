// One layer of a start: for each of its four inputs the spectrum on a logarithmic scale with the cut at the rank, how much
// of the energy its adapters can see, the effective rank, and the angles between what knowledge and task use.

import type { InputReport, ModuleReport, StartReport } from "../../../native-models/starts/report.ts";
import { at, linearScale, svgPicture, type Palette } from "./svg.ts";

const panel = { height: 244, left: 46, top: 46, right: 18, plotHeight: 130, leastWidth: 300 };
/** Above the panels: what the lines are. */
const keyHeight = 48;

/** What reads each input, in the order that they are drawn. */
const readers = { attention: "q, k, v", attentionOutput: "o", mlp: "gate, up", mlpDown: "down" } as const;

/** Four panels in a row, two, or one above the other, as the width allows. */
export function drawLayer(report: StartReport, layer: number, palette: Palette, width = 760): string {
  const inputs = report.inputs.filter((each) => each.layer === layer);
  const modules = report.modules.filter((each) => each.layer === layer);
  const columns = [4, 2].find((count) => width >= count * panel.leastWidth) ?? 1;
  const panelWidth = Math.floor(width / columns);
  const height = keyHeight + Math.ceil(inputs.length / columns) * panel.height;
  return svgPicture({ width, height, label: `Spectra of layer ${layer}`, palette }, [
    drawKey(report, inputs, layer, palette),
    ...inputs.map((input, i) =>
      `<g transform="translate(${(i % columns) * panelWidth + panel.left} ${keyHeight + Math.floor(i / columns) * panel.height + panel.top})">${drawInput(input, modules, report, palette, panelWidth - panel.left - panel.right)}</g>`),
  ]);
}

function drawKey({ spectrumOf }: StartReport, inputs: readonly InputReport[], layer: number, { ink, quiet, accent, second }: Palette): string {
  const row = (y: number, colour: string, text: string): string => `<path d="M${panel.left + 78} ${y - 4}h16" stroke="${colour}" stroke-width="2"/><text x="${panel.left + 100}" y="${y}" fill="${quiet}">${text}</text>`;
  return [
    `<text x="${panel.left}" y="20" fill="${ink}" font-size="13" font-weight="600">Layer ${layer}</text>`,
    row(20, accent, `energy of the ${spectrumOf} along its directions, least first`),
    ...(inputs.some(({ ritzValues }) => ritzValues.length > 0) ? [row(36, second, "along the adapter's directions")] : []),
  ].join("");
}

function drawInput(input: InputReport, modules: readonly ModuleReport[], { rank, spectrumOf }: StartReport, { ink, quiet, line, accent, second }: Palette, plotWidth: number): string {
  const { size, spectrum, effectiveRank, ritzValues, anglesDegrees } = input;
  const floor = Math.max(1e-12 * spectrum.at(-1)!, Number.MIN_VALUE);
  const logs = spectrum.map((value) => Math.log10(Math.max(value, floor)));
  const own = ritzValues.map((value) => Math.log10(Math.max(value, floor)));
  const lowest = Math.min(logs[0]!, ...own);
  const x = linearScale([0, size], [0, plotWidth]);
  const y = linearScale([Math.floor(lowest), Math.ceil(logs.at(-1)! + 1e-9)], [panel.plotHeight, 0]);
  const path = logs.map((value, i) => `${i === 0 ? "M" : "L"}${at(x((i / (logs.length - 1)) * size), y(value))}`).join("");
  const cut = x(rank).toFixed(1);
  return [
    `<text y="-26" fill="${ink}" font-size="12" font-weight="600">Input of ${readers[input.input]}</text>`,
    `<text y="-10" fill="${quiet}">${facts(input, modules, spectrumOf)}</text>`,
    ...y.ticks.filter(Number.isInteger).map((tick) => `<path d="M0 ${y(tick).toFixed(1)}h${plotWidth}" stroke="${line}"/><text x="-6" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end" fill="${quiet}">1e${tick}</text>`),
    `<rect width="${cut}" height="${panel.plotHeight}" fill="${second}" fill-opacity="0.12"/>`,
    `<path d="M${cut} 0V${panel.plotHeight}" stroke="${second}"/><text x="${Number(cut) + 4}" y="10" fill="${second}">rank ${rank}</text>`,
    `<path d="${path}" fill="none" stroke="${accent}" stroke-width="1.5"/>`,
    ...(own.length === 0 ? [] : [`<path d="${own.map((value, i) => `${i === 0 ? "M" : "L"}${at(x(i), y(value))}`).join("")}" fill="none" stroke="${second}" stroke-width="2"/>`]),
    `<text y="${panel.plotHeight + 14}" fill="${quiet}">0</text><text x="${plotWidth}" y="${panel.plotHeight + 14}" text-anchor="end" fill="${quiet}">${size} directions</text>`,
    `<text y="${panel.plotHeight + 30}" fill="${quiet}">effective rank ${effectiveRank.toPrecision(3)}</text>`,
    ...(anglesDegrees === null ? [] : [`<text y="${panel.plotHeight + 45}" fill="${quiet}">${anglesText(anglesDegrees)}</text>`]),
  ].join("");
}

function facts({ input }: InputReport, modules: readonly ModuleReport[], spectrumOf: StartReport["spectrumOf"]): string {
  const names = projectionsOf[input];
  const own = modules.filter(({ projection }) => names.includes(projection));
  const most = (of: (module: ModuleReport) => number | null): number | null => {
    const shares = own.flatMap((module) => of(module) ?? []);
    return shares.length === 0 ? null : Math.max(...shares);
  };
  const [knowledge, task] = [most(({ knowledgeShare }) => knowledgeShare), most(({ taskShare }) => taskShare)];
  const seen = [knowledge !== null && `${percent(knowledge)} of knowledge`, task !== null && `${percent(task)} of task`].filter(Boolean).join(", ");
  return `adapter sees ${seen || `nothing of the ${spectrumOf}`}`;
}

const projectionsOf: Record<InputReport["input"], readonly string[]> = {
  attention: ["q_proj", "k_proj", "v_proj"], attentionOutput: ["o_proj"], mlp: ["gate_proj", "up_proj"], mlpDown: ["down_proj"],
};

function anglesText(angles: readonly number[]): string {
  const middle = angles[Math.floor(angles.length / 2)]!;
  return `angles knowledge to task: ${degrees(angles[0]!)} to ${degrees(angles.at(-1)!)}, median ${degrees(middle)}`;
}

function degrees(angle: number): string {
  return `${angle.toFixed(angle < 10 ? 1 : 0)}°`;
}

/** Shares below this are rounding: the energies are float64 sums, and a difference of them may even come out negative. */
export const leastShare = 1e-14;

/** "0.0123 %": three digits, however small. */
export function percent(share: number): string {
  if (share !== 0 && share < leastShare) return "less than 1e-12 %";
  const value = 100 * share;
  return `${value === 0 || value >= 0.01 ? Number(value.toPrecision(3)) : value.toExponential(1)} %`;
}
