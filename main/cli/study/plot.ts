// The picture of a study: learnt (task loss, lower is better) against kept, a line a method and rank over its learning rates.

import { at, escapeXml, linearScale, paper, svgPicture } from "../../services/pictures/svg.ts";
import type { Setting } from "./summary.ts";

const size = { width: 760, height: 470, left: 56, right: 190, top: 34, bottom: 46 };

export function drawStudy(settings: readonly Setting[], title: string): string {
  const shown = settings.flatMap(({ taskNats, kept, ...rest }) => (taskNats === null || kept === null ? [] : [{ ...rest, taskNats, kept }]));
  if (shown.length === 0) return svgPicture({ ...size, label: title, palette: paper }, [`<text x="24" y="40" fill="${paper.quiet}">No cell is done yet.</text>`]);
  const x = linearScale(padded(shown.map(({ taskNats }) => taskNats)), [size.left, size.width - size.right]);
  const y = linearScale(padded(shown.flatMap(({ kept }) => [100 * kept.low, 100 * kept.high])), [size.height - size.bottom, size.top]);
  const lines = [...Map.groupBy(shown, ({ method, rank }) => `${method}, rank ${rank}`)];
  const [right, bottom] = [size.width - size.right, size.height - size.bottom];
  return svgPicture({ ...size, label: title, palette: paper }, [
    `<text x="${size.left}" y="18" fill="${paper.ink}" font-size="13" font-weight="600">${escapeXml(title)}</text>`,
    ...x.ticks.map((tick) => `<path d="M${at(x(tick), size.top)}V${bottom}" stroke="${paper.line}"/><text x="${x(tick).toFixed(1)}" y="${bottom + 16}" text-anchor="middle" fill="${paper.quiet}">${tick}</text>`),
    ...y.ticks.map((tick) => `<path d="M${at(size.left, y(tick))}H${right}" stroke="${paper.line}"/><text x="${size.left - 8}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end" fill="${paper.quiet}">${tick} %</text>`),
    `<text x="${(size.left + right) / 2}" y="${size.height - 10}" text-anchor="middle" fill="${paper.ink}">task loss on held-out rows, nats a token (left is better)</text>`,
    `<text transform="translate(14 ${(size.top + bottom) / 2}) rotate(-90)" text-anchor="middle" fill="${paper.ink}">likelihood of right answers kept</text>`,
    ...lines.flatMap(([name, points], i) => {
      const colour = paper.series[i % paper.series.length]!;
      return [
        `<path d="${points.map((point, k) => `${k === 0 ? "M" : "L"}${at(x(point.taskNats), y(100 * point.kept.share))}`).join("")}" fill="none" stroke="${colour}" stroke-width="1.5"/>`,
        ...points.map((point) => `<path d="M${at(x(point.taskNats), y(100 * point.kept.low))}V${y(100 * point.kept.high).toFixed(1)}" stroke="${colour}" stroke-opacity="0.35"/><circle cx="${x(point.taskNats).toFixed(1)}" cy="${y(100 * point.kept.share).toFixed(1)}" r="4" fill="${point.isBest ? colour : paper.ground}" stroke="${colour}" stroke-width="1.5"><title>${escapeXml(`${name}, learning rate ${point.learningRate}: task loss ${point.taskNats.toFixed(3)}, kept ${(100 * point.kept.share).toFixed(1)} %`)}</title></circle><text x="${(x(point.taskNats) + 7).toFixed(1)}" y="${(y(100 * point.kept.share) - 6).toFixed(1)}" fill="${colour}" font-size="10">${point.learningRate}</text>`),
        `<path d="M${right + 18} ${size.top + 10 + 20 * i}h18" stroke="${colour}" stroke-width="2"/><text x="${right + 42}" y="${size.top + 14 + 20 * i}" fill="${paper.ink}">${escapeXml(name)}</text>`,
      ];
    }),
    `<text x="${right + 18}" y="${size.top + 24 + 20 * lines.length}" fill="${paper.quiet}">filled: nothing beats it in both</text>`,
  ]);
}

/** The range of the values with a little room, so that no point lies on the frame. */
function padded(values: readonly number[]): [number, number] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const room = most > least ? 0.06 * (most - least) : 0.05 * Math.abs(most) || 1;
  return [least - room, most + room];
}
