// The shell's rules, tried as an attacker's page would try them. No Electron is needed: the guards are called with
// recorders in place of a session and a window. electron.test.ts tries the real shell where its binary is.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Session, WebContents } from "electron";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pageResponse } from "../../main/app/page-files.ts";
import { guardContents, guardSession, isPermitted, pagePreferences } from "../../main/app/security.ts";

type Handler = (...args: never[]) => unknown;

/** An object whose every method keeps the function it is given: by event name for `on`, else by its own name. */
function recorder<T>(): { target: T; handlers: Map<string, Handler> } {
  const handlers = new Map<string, Handler>();
  const target: unknown = new Proxy(
    {},
    {
      get(_target, method: string) {
        if (method === "webRequest") return target;
        return (first: string | Handler, second?: Handler) => {
          if (typeof first === "string" && second !== undefined) handlers.set(first, second);
          else handlers.set(method, first as Handler);
        };
      },
    },
  );
  return { target: target as T, handlers };
}

describe("the session", () => {
  const { target, handlers } = recorder<Session>();
  guardSession(target);
  const ask = <T>(name: string, ...args: unknown[]): T => handlers.get(name)?.(...(args as never[])) as T;

  test.each(["media", "geolocation", "notifications", "openExternal", "clipboard-read", "fileSystem", "hid", "usb"])(
    "refuses the permission %s to its own page",
    (permission) => {
      let granted: boolean | null = null;
      ask("setPermissionRequestHandler", null, permission, (answer: boolean) => (granted = answer), { requestingUrl: "app://nullspace/" });
      expect(granted).toBe(false);
      expect(ask("setPermissionCheckHandler", null, permission, "app://nullspace/")).toBe(false);
    },
  );

  test("lets its own page, and no other, write text to the clipboard", () => {
    expect(isPermitted("clipboard-sanitized-write", "app://nullspace/")).toBe(true);
    expect(isPermitted("clipboard-sanitized-write", "https://example.com/")).toBe(false);
    expect(isPermitted("clipboard-sanitized-write", "app://nullspace.example.com/")).toBe(false);
  });

  test.each([
    ["app://nullspace/assets/index.js", false],
    ["blob:app://nullspace/0b5e", false],
    ["https://example.com/collect?text=secret", true],
    ["http://127.0.0.1:8080/", true],
    ["file:///etc/passwd", true],
    ["app://other/", true],
    ["ws://example.com/", true],
  ])("request to %s: cancelled %s", (url, cancel) => {
    let answer: unknown = null;
    ask("onBeforeRequest", { url }, (given: unknown) => (answer = given));
    expect(answer).toEqual({ cancel });
  });

  test.each([
    ["blob:app://nullspace/0b5e", false],
    ["https://example.com/file.exe", true],
    ["data:text/plain,x", true],
    ["blob:https://example.com/0b5e", true],
  ])("download of %s: refused %s", (url, refused) => {
    let isPrevented = false;
    handlers.get("will-download")?.({ preventDefault: () => (isPrevented = true) } as never, { getURL: () => url } as never);
    expect(isPrevented).toBe(refused);
  });

  test("gives no device away", () => {
    expect(ask("setDevicePermissionHandler")).toBe(false);
  });
});

describe("the window's contents", () => {
  const { target, handlers } = recorder<WebContents>();
  guardContents(target);
  const isPrevented = (event: string, url: string): boolean => {
    let prevented = false;
    handlers.get(event)?.({ url, preventDefault: () => (prevented = true) } as never);
    return prevented;
  };

  test.each(["https://example.com/", "file:///etc/passwd", "javascript:alert(1)", "data:text/html,x", "app://nullspace@example.com/"])(
    "do not navigate to %s",
    (url) => {
      expect(isPrevented("will-navigate", url)).toBe(true);
      expect(isPrevented("will-frame-navigate", url)).toBe(true);
    },
  );

  test("open no window and attach no webview", () => {
    expect(handlers.get("setWindowOpenHandler")?.()).toEqual({ action: "deny" });
    expect(isPrevented("will-attach-webview", "")).toBe(true);
    expect(isPrevented("will-redirect", "app://nullspace/")).toBe(true);
  });

  test("are sandboxed, isolated and without Node", () => {
    expect(pagePreferences("/preload.cjs")).toMatchObject({
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      webSecurity: true,
      webviewTag: false,
    });
  });
});

describe("the page's files", () => {
  let root = "";
  let folder = "";
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "nullspace-page-"));
    folder = join(root, "renderer");
    mkdirSync(join(folder, "assets"), { recursive: true });
    writeFileSync(join(folder, "index.html"), "<!doctype html><title>ours</title>");
    writeFileSync(join(folder, "assets/a b.js"), "export {};");
    writeFileSync(join(folder, "weights.bin"), "x");
    writeFileSync(join(root, "secret.js"), "secret");
    symlinkSync(join(root, "secret.js"), join(folder, "link.js"));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  test("come with the policy and their type", async () => {
    const page = await pageResponse("app://nullspace/", folder);
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    const policy = page.headers.get("content-security-policy");
    expect(policy).toMatch(/^default-src 'none'; script-src 'self';/);
    expect(policy).not.toContain("unsafe");
    expect((await pageResponse("app://nullspace/assets/a%20b.js?v=1", folder)).status).toBe(200);
  });

  test.each([
    "app://nullspace/../secret.js",
    "app://nullspace/..%2fsecret.js",
    "app://nullspace/%2e%2e/secret.js",
    "app://nullspace/assets/..%5c..%5csecret.js",
    "app://nullspace/link.js",
    "app://nullspace/%00",
    "app://nullspace/%E0%A4%A",
    "app://nullspace/assets",
    "app://nullspace/weights.bin",
    "app://elsewhere/index.html",
    "https://nullspace/index.html",
    "not a url",
  ])("%s is not found", async (url) => {
    expect((await pageResponse(url, folder)).status).toBe(404);
  });
});
