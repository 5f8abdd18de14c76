// Small pieces of the pictures that are written as SVG: axes with round ticks, and colours for a page or for paper.

/** Colours of a picture: those of the window's theme, or fixed ones for a file. */
export interface Palette {
  ground: string;
  ink: string;
  quiet: string;
  line: string;
  accent: string;
  second: string;
  series: readonly string[];
}

/** Told apart without their hue, too: light and dark take turns. */
const series = ["#0b6e72", "#c2743a", "#5a4fa2", "#8aa63f", "#b0437a", "#3f7fbf", "#7a5c3e", "#4a4a4a", "#d1a11e", "#2f9e6e"] as const;

export const paper: Palette = { ground: "#ffffff", ink: "#222222", quiet: "#666666", line: "#e3e3e0", accent: "#0b6e72", second: "#c2743a", series };

export function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[character]!);
}

export function svgPicture({ width, height, label, palette }: { width: number; height: number; label: string; palette: Palette }, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="'IBM Plex Sans Variable', 'IBM Plex Sans', system-ui, sans-serif" font-size="11" role="img" aria-label="${escapeXml(label)}">`,
    `<rect width="100%" height="100%" fill="${palette.ground}"/>`,
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}

export interface Scale {
  (value: number): number;
  ticks: readonly number[];
}

/** Maps [least, most] to [from, to], with three to seven ticks at round numbers. */
export function linearScale([least, most]: readonly [number, number], [from, to]: readonly [number, number]): Scale {
  const span = most > least ? most - least : Math.abs(least) || 1;
  const step = roundStep(span / 5);
  const first = Math.ceil(least / step - 1e-9);
  const ticks = Array.from({ length: Math.max(0, Math.floor((least + span) / step + 1e-9) - first + 1) }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  return Object.assign((value: number) => from + ((value - least) / span) * (to - from), { ticks });
}

function roundStep(raw: number): number {
  const power = 10 ** Math.floor(Math.log10(raw));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= raw)!;
}

/** A point of a path, to a tenth of a pixel. */
export function at(x: number, y: number): string {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}
