// What can be known of the installers without Electron's binary: the configuration is one that electron-builder takes,
// the fuses are set, and no native module would be left inside the archive. Building them is not tried here.

import { globSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { repoRoot } from "../support/shared-paths.ts";

interface Configuration {
  asar: boolean;
  asarUnpack: string[];
  files: string[];
  electronFuses: Record<string, boolean>;
  linux: { target: string[] };
  win: { target: string[] };
  mac: { target: { target: string; arch: string[] }[] };
}

interface Builder {
  getConfig(projectDir: string, file: string, options: null): Promise<Configuration>;
  validateConfiguration(configuration: Configuration, log: unknown): Promise<void>;
}

const require = createRequire(import.meta.url);
let configuration: Configuration;

beforeAll(async () => {
  const builder = require("app-builder-lib/out/util/config/config.js") as Builder;
  const { DebugLogger } = require("builder-util") as { DebugLogger: new (isEnabled: boolean) => unknown };
  configuration = await builder.getConfig(repoRoot, "electron-builder.yml", null);
  await builder.validateConfiguration(configuration, new DebugLogger(false));
});

describe("the installers' configuration", () => {
  test("names AppImage and deb, nsis and portable, and dmg for both kinds of Mac", () => {
    const targets = (list: (string | { target: string })[]) => list.map((entry) => (typeof entry === "string" ? entry : entry.target));
    expect(targets(configuration.linux.target)).toEqual(["AppImage", "deb"]);
    expect(targets(configuration.win.target)).toEqual(["nsis", "portable"]);
    expect(configuration.mac.target).toEqual([{ target: "dmg", arch: ["arm64", "x64"] }]);
  });

  test("sets every fuse to its safe side", () => {
    expect(configuration.electronFuses).toEqual({
      runAsNode: false,
      enableCookieEncryption: true,
      enableNodeOptionsEnvironmentVariable: false,
      enableNodeCliInspectArguments: false,
      enableEmbeddedAsarIntegrityValidation: true,
      onlyLoadAppFromAsar: true,
      loadBrowserProcessSpecificV8Snapshot: false,
      grantFileProtocolExtraPrivileges: false,
    });
  });

  test("unpacks every native module that the app ships", () => {
    const lock = JSON.parse(readFileSync(join(repoRoot, "package-lock.json"), "utf8")) as {
      packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
    };
    const shipped = Object.entries(lock.packages)
      .filter(([path, { dev, devOptional }]) => path !== "" && dev !== true && devOptional !== true)
      .map(([path]) => path);
    const native = shipped.filter((path) => globSync("**/*.{node,so,so.*,dylib,dll}", { cwd: join(repoRoot, path), exclude: ["node_modules"] }).length > 0);
    const unpacked = configuration.asarUnpack.map((pattern) => pattern.replace(/\*\*$/, ""));
    expect(native.length).toBeGreaterThan(1);
    expect(native.filter((path) => !unpacked.some((prefix) => `${path}/`.startsWith(prefix)))).toEqual([]);
  });
});
