// How a curve looks in uPlot: faint raw line below the accent line, quiet axes, the pointer's step shown by the heading.

import type uPlot from "uplot";
import { formatNumber } from "./format.ts";

interface CurveLook {
  hasRaw: boolean;
  hasMarks: boolean;
  width: number;
  height: number;
  /** Index under the pointer, or null. */
  onPoint(index: number | null): void;
}

export function curveOptions(style: CSSStyleDeclaration, { hasRaw, hasMarks, width, height, onPoint }: CurveLook): uPlot.Options {
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour("--ink-3"),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    gap: 4,
  };
  const raw: uPlot.Series = { stroke: colour("--curve-raw"), width: 1.25, points: { show: false } };
  const line: uPlot.Series = { stroke: colour("--accent"), width: 2, points: { size: 5, show: (chart) => (chart.data[0]?.length ?? 0) < 2 } };
  const marks: uPlot.Series = { stroke: colour("--curve-marks"), width: 1.25, dash: [4, 3], spanGaps: true, points: { show: true, size: 6, fill: colour("--curve-marks") } };
  return {
    width,
    height,
    padding: [10, 14, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: true, y: false }, points: { size: 7 } },
    scales: { x: { time: false }, y: { range: (_chart, least, most) => paddedRange(least, most) } },
    axes: [
      { ...axis, grid: { show: false }, size: 24, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5], values: (_chart, ticks) => ticks.map(stepTick) },
      { ...axis, size: 46, space: 32, values: (_chart, ticks) => ticks.map(formatNumber) },
    ],
    series: [{}, ...(hasRaw ? [raw] : []), line, ...(hasMarks ? [marks] : [])],
    hooks: { setCursor: [(chart) => onPoint(chart.cursor.idx ?? null)] },
  };
}

/** 500, 20 k; nothing between two steps. */
export function stepTick(step: number): string {
  if (!Number.isInteger(step)) return "";
  return step >= 10_000 ? `${step / 1000} k` : String(step);
}

/** A little air above and below; a flat curve lies in the middle. */
export function paddedRange(least: number | null, most: number | null): [number, number] {
  if (least === null || most === null) return [0, 1];
  if (least === most) return least === 0 ? [0, 1] : [least - Math.abs(least) / 2, most + Math.abs(most) / 2];
  const air = (most - least) * 0.06;
  return [least >= 0 ? Math.max(0, least - air) : least - air, most + air];
}
