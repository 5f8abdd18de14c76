// How a curve looks in uPlot: faint raw line below the accent line, quiet axes, the pointer's step shown by the heading. A
// sparse curve has a dot a value, a band for how sure each is, and a line that it must not fall below.

import type uPlot from "uplot";
import { formatNumber } from "./format.ts";

interface CurveLook {
  hasRaw: boolean;
  hasMarks: boolean;
  /** The line has few values, far apart. */
  isSparse: boolean;
  /** Columns for the band's ends follow, the upper one first. */
  hasBand: boolean;
  /** A column for the lowest allowed value follows. */
  hasLimit: boolean;
  /** Charts of one key share the pointer and the zoom. */
  syncKey: string | null;
  /** Widens the range of values. */
  range(least: number | null, most: number | null): [number, number];
  width: number;
  height: number;
  /** Index under the pointer, or null. */
  onPoint(index: number | null): void;
}

export function curveOptions(style: CSSStyleDeclaration, { hasRaw, hasMarks, isSparse, hasBand, hasLimit, syncKey, range, width, height, onPoint }: CurveLook): uPlot.Options {
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour("--ink-3"),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    gap: 4,
  };
  const raw: uPlot.Series = { stroke: colour("--curve-raw"), width: 1.25, points: { show: false } };
  const dots: uPlot.Series.Points = isSparse ? { show: true, size: 6, fill: colour("--accent") } : { size: 5, show: (chart) => (chart.data[0]?.length ?? 0) < 2 };
  const line: uPlot.Series = { stroke: colour("--accent"), width: 2, spanGaps: isSparse, points: dots };
  const edge: uPlot.Series = { stroke: colour("--curve-band"), width: 1, spanGaps: true, points: { show: false } };
  const limit: uPlot.Series = { stroke: colour("--danger"), width: 1.25, dash: [6, 4], spanGaps: true, points: { show: false } };
  const marks: uPlot.Series = { stroke: colour("--curve-marks"), width: 1.25, dash: [4, 3], spanGaps: true, points: { show: true, size: 6, fill: colour("--curve-marks") } };
  const series = [{}, ...(hasRaw ? [raw] : []), line, ...(hasMarks ? [marks] : []), ...(hasBand ? [edge, edge] : []), ...(hasLimit ? [limit] : [])];
  const upper = series.indexOf(edge);
  return {
    width,
    height,
    padding: [10, 14, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: true, y: false }, points: { size: 7 }, ...(syncKey === null ? {} : { sync: { key: syncKey } }) },
    scales: { x: { time: false }, y: { range: (_chart, least, most) => range(least, most) } },
    axes: [
      { ...axis, grid: { show: false }, size: 24, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5], values: (_chart, ticks) => ticks.map(stepTick) },
      { ...axis, size: 46, space: 32, values: (_chart, ticks) => ticks.map(formatNumber) },
    ],
    series,
    ...(hasBand ? { bands: [{ series: [upper, upper + 1] as [number, number], fill: colour("--curve-band") }] } : {}),
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
