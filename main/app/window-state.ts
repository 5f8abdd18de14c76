// Where the window was, kept between starts.
// In: a JSON file in the app's data folder and the displays there are now. Out: bounds that lie on one of them.

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { z } from "zod";

export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

const size = z.int().min(1).max(100_000);
const place = z.int().min(-100_000).max(100_000);
const savedState = z.object({ x: place, y: place, width: size, height: size, isMaximized: z.boolean() });
export type WindowState = z.infer<typeof savedState>;

export const smallest = { width: 1024, height: 640 };
const usual = { width: 1360, height: 860 };

/** The saved state, or null where there is none or it cannot be read: the window then opens as on first start. */
export function readWindowState(path: string): WindowState | null {
  try {
    return savedState.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return null; // a lost window position is not worth a message
  }
}

export function writeWindowState(path: string, state: WindowState): void {
  writeFileSync(`${path}.part`, JSON.stringify(state));
  renameSync(`${path}.part`, path);
}

/** Bounds for a new window: the saved ones if enough of them is on a display to be grabbed, else centred on the first. */
export function placeWindow(saved: Rectangle | null, workAreas: readonly Rectangle[]): Rectangle {
  const first = workAreas[0] ?? { x: 0, y: 0, ...usual };
  const home = saved === null ? undefined : workAreas.find((area) => isGrabbable(saved, area));
  if (saved !== null && home !== undefined) {
    return { ...saved, width: Math.min(saved.width, home.width), height: Math.min(saved.height, home.height) };
  }
  const width = Math.min(usual.width, first.width);
  const height = Math.min(usual.height, first.height);
  return {
    x: first.x + Math.round((first.width - width) / 2),
    y: first.y + Math.round((first.height - height) / 2),
    width,
    height,
  };
}

/** At least 100 pixels of the title bar are visible on the area. */
function isGrabbable(window: Rectangle, area: Rectangle): boolean {
  const visibleWidth = Math.min(window.x + window.width, area.x + area.width) - Math.max(window.x, area.x);
  const isTitleVisible = window.y >= area.y - 10 && window.y <= area.y + area.height - 40;
  return visibleWidth >= 100 && isTitleVisible;
}
