// The picture of a study: learnt (task loss, lower is better) against kept. A line a method and rank over its learning
// rates, bars of one standard error over seeds, and the front: the settings that nothing beats in both.

import { at, escapeXml, linearScale, paper, svgPicture, type Scale } from "../../services/pictures/svg.ts";
import type { Setting, Spread } from "./summary.ts";

const size = { width: 820, height: 500, left: 64, right: 210, top: 40, bottom: 50 };

type Shown = Omit<Setting, "taskNats" | "kept"> & { taskNats: Spread; kept: Spread };

export function drawStudy(settings: readonly Setting[], title: string): string {
  const shown = settings.flatMap(({ taskNats, kept, ...rest }): Shown[] => (taskNats === null || kept === null ? [] : [{ ...rest, taskNats, kept }]));
  if (shown.length === 0) return svgPicture({ ...size, label: title, palette: paper }, [`<text x="24" y="40" fill="${paper.quiet}">No cell is done yet.</text>`]);
  const x = linearScale(padded(shown.flatMap(({ taskNats }) => ends(taskNats))), [size.left, size.width - size.right]);
  const y = linearScale(padded(shown.flatMap(({ kept }) => ends(kept).map((share) => 100 * share))), [size.height - size.bottom, size.top]);
  const lines = [...Map.groupBy(shown, ({ method, rank }) => `${method}, rank ${rank}`)];
  const [right, bottom] = [size.width - size.right, size.height - size.bottom];
  const key = (row: number): number => size.top + 10 + 20 * row;
  return svgPicture({ ...size, label: title, palette: paper }, [
    `<text x="${size.left}" y="20" fill="${paper.ink}" font-size="13" font-weight="600">${escapeXml(title)}</text>`,
    ...x.ticks.map((tick) => `<path d="M${at(x(tick), size.top)}V${bottom}" stroke="${paper.line}"/><text x="${x(tick).toFixed(1)}" y="${bottom + 16}" text-anchor="middle" fill="${paper.quiet}">${tick}</text>`),
    ...y.ticks.map((tick) => `<path d="M${at(size.left, y(tick))}H${right}" stroke="${paper.line}"/><text x="${size.left - 8}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end" fill="${paper.quiet}">${tick} %</text>`),
    `<text x="${(size.left + right) / 2}" y="${size.height - 12}" text-anchor="middle" fill="${paper.ink}">task loss on held-out rows, nats a token (left is better)</text>`,
    `<text transform="translate(16 ${(size.top + bottom) / 2}) rotate(-90)" text-anchor="middle" fill="${paper.ink}">likelihood of right answers kept (up is better)</text>`,
    frontLine(shown, x, y),
    ...lines.flatMap(([name, points], i) => {
      const colour = paper.series[i % paper.series.length]!;
      return [
        `<path d="${points.map((point, k) => `${k === 0 ? "M" : "L"}${at(x(point.taskNats.mean), y(100 * point.kept.mean))}`).join("")}" fill="none" stroke="${colour}" stroke-width="1.5" stroke-opacity="0.6"/>`,
        ...points.map((point) => pointMark(name, point, colour, x, y)),
        `<path d="M${right + 18} ${key(i)}h18" stroke="${colour}" stroke-width="2"/><text x="${right + 42}" y="${key(i) + 4}" fill="${paper.ink}">${escapeXml(name)}</text>`,
      ];
    }),
    ...["filled: best rate of its method", "numbers: learning rates", "bars: standard error over seeds"].map((text, i) => `<text x="${right + 18}" y="${key(lines.length + 1) + 16 * i}" fill="${paper.quiet}">${text}</text>`),
    `<path d="M${right + 18} ${key(lines.length + 1) + 44}h18" stroke="${paper.quiet}" stroke-dasharray="4 3"/><text x="${right + 42}" y="${key(lines.length + 1) + 48}" fill="${paper.quiet}">nothing beats it in both</text>`,
  ]);
}

function pointMark(name: string, { taskNats, kept, learningRate, isBest }: Shown, colour: string, x: Scale, y: Scale): string {
  const [cx, cy] = [x(taskNats.mean), y(100 * kept.mean)];
  const bars = [
    ...(taskNats.standardError === null ? [] : [`M${at(x(ends(taskNats)[0]), cy)}H${x(ends(taskNats)[1]).toFixed(1)}`]),
    ...(kept.standardError === null ? [] : [`M${at(cx, y(100 * ends(kept)[0]))}V${y(100 * ends(kept)[1]).toFixed(1)}`]),
  ].join("");
  return [
    bars && `<path d="${bars}" stroke="${colour}" stroke-opacity="0.5" fill="none"/>`,
    `<circle cx="${cx.toFixed(1)}" cy="${cy.toFixed(1)}" r="4" fill="${isBest ? colour : paper.ground}" stroke="${colour}" stroke-width="1.5"><title>${escapeXml(`${name}, learning rate ${learningRate}: task loss ${taskNats.mean.toFixed(3)}, kept ${(100 * kept.mean).toFixed(1)} %`)}</title></circle>`,
    `<text x="${(cx + 7).toFixed(1)}" y="${(cy - 6).toFixed(1)}" fill="${colour}" font-size="10">${rateText(learningRate)}</text>`,
  ].join("");
}

/** Steps through the settings that nothing beats, least task loss first: between two of them, neither's half is reached. */
function frontLine(shown: readonly Shown[], x: Scale, y: Scale): string {
  const front = shown.filter(({ isOnFront }) => isOnFront).sort((a, b) => a.taskNats.mean - b.taskNats.mean);
  const steps = front.map(({ taskNats, kept }, i) => (i === 0 ? `M${at(x(taskNats.mean), y(100 * kept.mean))}` : `H${x(taskNats.mean).toFixed(1)}V${y(100 * kept.mean).toFixed(1)}`));
  return `<path d="${steps.join("")}" fill="none" stroke="${paper.quiet}" stroke-dasharray="4 3"/>`;
}

/** 5e-4 rather than 0.0005. */
function rateText(rate: number): string {
  return rate >= 0.01 ? String(rate) : rate.toExponential();
}

function ends({ mean, standardError }: Spread): [number, number] {
  return [mean - (standardError ?? 0), mean + (standardError ?? 0)];
}

/** The range of the values with a little room, so that no point lies on the frame. */
function padded(values: readonly number[]): [number, number] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const room = most > least ? 0.06 * (most - least) : 0.05 * Math.abs(most) || 1;
  return [least - room, most + room];
}
