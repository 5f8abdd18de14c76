// The chart of docs/memory.md: measured peaks as points, estimates as lines, one panel a thing that grows.

export interface Curve {
  label: string;
  points: readonly { x: number; measuredBytes: number; estimatedBytes: number }[];
}

const panel = { width: 300, height: 210, left: 44, top: 30, gap: 16, plotWidth: 240, plotHeight: 140 };

export function drawGrowth(curves: readonly Curve[]): string {
  const most = Math.max(...curves.flatMap(({ points }) => points.flatMap(({ measuredBytes, estimatedBytes }) => [measuredBytes, estimatedBytes])));
  const step = most > 4e9 ? 1e9 : 0.5e9;
  const top = Math.ceil(most / step) * step;
  const width = curves.length * panel.width + (curves.length - 1) * panel.gap;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${panel.height + 26}" viewBox="0 0 ${width} ${panel.height + 26}" font-family="system-ui, sans-serif" font-size="11" role="img" aria-label="Peak memory of training over length, batch and layers">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    ...curves.map((curve, i) => drawPanel(curve, i * (panel.width + panel.gap), top, step)),
    `<g transform="translate(${panel.left} ${panel.height + 14})" fill="#444"><circle cx="4" cy="-4" r="3.5" fill="#0b6e72"/><text x="14">measured peak</text><path d="M104 -4h18" stroke="#c2743a" stroke-width="1.5" stroke-dasharray="4 3"/><text x="128">estimate before the start</text></g>`,
    "</svg>",
    "",
  ].join("\n");
}

function drawPanel({ label, points }: Curve, shift: number, top: number, step: number): string {
  const widest = Math.max(...points.map(({ x }) => x));
  const x = (value: number): string => ((value / widest) * panel.plotWidth).toFixed(1);
  const y = (bytes: number): string => ((1 - bytes / top) * panel.plotHeight).toFixed(1);
  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step);
  return [
    `<g transform="translate(${shift + panel.left} ${panel.top})">`,
    `<text x="0" y="-14" fill="#222" font-weight="600">${label}</text>`,
    ...ticks.map((bytes) => `<path d="M0 ${y(bytes)}h${panel.plotWidth}" stroke="#e3e3e0"/><text x="-6" y="${y(bytes)}" dy="3.5" text-anchor="end" fill="#666">${(bytes / 1e9).toFixed(1)}</text>`),
    `<text x="-6" y="-14" text-anchor="end" fill="#666">GB</text>`,
    ...points.map(({ x: value }) => `<text x="${x(value)}" y="${panel.plotHeight + 16}" text-anchor="middle" fill="#666">${value}</text>`),
    `<path d="${points.map((point, i) => `${i === 0 ? "M" : "L"}${x(point.x)} ${y(point.estimatedBytes)}`).join("")}" fill="none" stroke="#c2743a" stroke-width="1.5" stroke-dasharray="4 3"/>`,
    ...points.map((point) => `<circle cx="${x(point.x)}" cy="${y(point.measuredBytes)}" r="3.5" fill="#0b6e72"/>`),
    "</g>",
  ].join("\n");
}
