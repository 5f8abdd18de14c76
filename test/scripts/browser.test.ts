import { describe, expect, test } from "vitest";
import { findBrowser } from "../../scripts/browser.ts";

const around = (platform: NodeJS.Platform, env: Record<string, string>, present: string[]) => ({
  platform,
  env,
  isExecutable: (path: string) => present.includes(path.replaceAll("\\", "/")),
});

describe("finding a browser", () => {
  test("CHROME_PATH wins over what is installed", () => {
    const env = { CHROME_PATH: "/opt/mine", PATH: "/usr/bin" };
    expect(findBrowser(around("linux", env, ["/opt/mine", "/usr/bin/chromium"]))).toBe("/opt/mine");
  });

  test("a CHROME_PATH that names nothing is an error, not another browser", () => {
    const env = { CHROME_PATH: "/opt/gone", PATH: "/usr/bin" };
    expect(() => findBrowser(around("linux", env, ["/usr/bin/chromium"]))).toThrow("CHROME_PATH names /opt/gone");
  });

  test.each([
    ["linux", { PATH: "/home/x/bin:/usr/bin" }, "/usr/bin/chromium"],
    ["linux", { PATH: "/home/x/bin" }, "/opt/microsoft/msedge/msedge"],
    ["darwin", { HOME: "/Users/x" }, "/Users/x/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"],
    ["darwin", {}, "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge"],
    ["win32", { "PROGRAMFILES(X86)": "C:/Program Files (x86)" }, "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe"],
  ] as const)("on %s with %o: %s", (platform, env, path) => {
    expect(findBrowser(around(platform, env, [path]))?.replaceAll("\\", "/")).toBe(path);
  });

  test("none is null", () => {
    expect(findBrowser(around("linux", { PATH: "/usr/bin" }, []))).toBeNull();
  });
});
