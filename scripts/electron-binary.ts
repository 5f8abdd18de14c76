// Where Electron's binary is, if it is here at all. npm's package holds only its loader, and that loader downloads when
// asked for the path: so it is not asked, and nothing is ever downloaded from here.

import { existsSync } from "node:fs";
import { join } from "node:path";

const places: Partial<Record<NodeJS.Platform, string>> = {
  linux: "electron",
  darwin: "Electron.app/Contents/MacOS/Electron",
  win32: "electron.exe",
};

/** Path of the executable, or null. ELECTRON_OVERRIDE_DIST_PATH names another folder, as Electron's own loader has it. */
export function electronBinary(repoRoot: string): string | null {
  const place = places[process.platform];
  if (place === undefined) return null;
  const folder = process.env["ELECTRON_OVERRIDE_DIST_PATH"] ?? join(repoRoot, "node_modules/electron/dist");
  const path = join(folder, place);
  return existsSync(path) ? path : null;
}
