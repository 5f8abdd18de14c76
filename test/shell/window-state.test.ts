import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { placeWindow, readWindowState, writeWindowState } from "../../main/app/window-state.ts";

const folder = mkdtempSync(join(tmpdir(), "nullspace-window-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const laptop = { x: 0, y: 25, width: 1440, height: 875 };
const second = { x: 1440, y: 0, width: 2560, height: 1400 };

describe("the window's place", () => {
  test("comes back as it was left", () => {
    const path = join(folder, "window.json");
    const state = { x: 1500, y: 40, width: 1800, height: 1200, isMaximized: true };
    writeWindowState(path, state);
    expect(readWindowState(path)).toEqual(state);
    expect(placeWindow(state, [laptop, second])).toMatchObject({ x: 1500, y: 40, width: 1800, height: 1200 });
  });

  test("is the middle of the first display when its own display is gone", () => {
    const placed = placeWindow({ x: 1500, y: 40, width: 1800, height: 1200 }, [laptop]);
    expect(placed).toEqual({ x: 40, y: 33, width: 1360, height: 860 });
  });

  test("is made to fit a display that became smaller", () => {
    const placed = placeWindow({ x: 0, y: 25, width: 3000, height: 2000 }, [laptop]);
    expect(placed).toEqual({ x: 0, y: 25, width: 1440, height: 875 });
  });

  test.each([
    ["half written", '{"x": 1, "y"'],
    ["of strings", '{"x":"1","y":0,"width":900,"height":700,"isMaximized":false}'],
    ["of absurd numbers", '{"x":1e300,"y":0,"width":-5,"height":700,"isMaximized":false}'],
  ])("is forgotten when the file is %s", (_name, text) => {
    const path = join(folder, "broken.json");
    writeFileSync(path, text);
    expect(readWindowState(path)).toBeNull();
  });

  test("is unknown at the first start", () => {
    expect(readWindowState(join(folder, "none.json"))).toBeNull();
  });
});
