// The shell's own code over a stand-in for Electron's API: does the page get its rpc, and nobody else? This is no proof
// that Electron behaves so: electron.test.ts is, where Electron's binary is there.

import { EventEmitter } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { channels } from "../../main/app/channels.ts";
import { portClient } from "../../main/rpc/client.ts";

const fake = {
  windows: [] as { options: Record<string, unknown>; url: string }[],
  handlers: new Map<string, (...args: unknown[]) => unknown>(),
  dialogs: [] as unknown[],
  isSandboxed: false,
};

const app = new EventEmitter();
const ipcMain = new EventEmitter();
const home = mkdtempSync(join(tmpdir(), "nullspace-wiring-"));

vi.doMock("electron", () => {
  class BrowserWindow extends EventEmitter {
    constructor(options: Record<string, unknown>) {
      super();
      fake.windows.push({ options, url: "" });
    }
    loadURL(url: string): Promise<void> {
      fake.windows.at(-1)!.url = url;
      return Promise.resolve();
    }
  }
  const permissive = new Proxy({}, { get: (_target, name) => (name === "webRequest" ? permissive : () => {}) });
  return {
    app: Object.assign(app, {
      requestSingleInstanceLock: () => true,
      enableSandbox: () => (fake.isSandboxed = true),
      whenReady: () => Promise.resolve(),
      getPath: () => home,
      quit: () => {},
      exit: () => {},
    }),
    BrowserWindow,
    dialog: {
      showErrorBox: (_title: string, text: string) => {
        throw new Error(text);
      },
      showOpenDialog: (_window: unknown, options: unknown) => {
        fake.dialogs.push(options);
        return Promise.resolve({ canceled: false, filePaths: ["/data/rows.jsonl"] });
      },
    },
    ipcMain: Object.assign(ipcMain, {
      handle: (channel: string, handler: (...args: unknown[]) => unknown) => fake.handlers.set(channel, handler),
    }),
    nativeTheme: { shouldUseDarkColors: true },
    protocol: { handle: () => {}, registerSchemesAsPrivileged: () => {} },
    screen: {
      getPrimaryDisplay: () => ({ workArea: { x: 0, y: 0, width: 1920, height: 1040 } }),
      getAllDisplays: () => [],
    },
    session: { defaultSession: permissive },
    utilityProcess: {},
  };
});

const ownFrame = { parent: null, url: "app://nullspace/" };
const strangers = [
  { parent: null, url: "https://example.com/" },
  { parent: ownFrame, url: "app://nullspace/" },
  null,
];

beforeAll(async () => {
  process.env["NULLSPACE_HOME"] = home;
  await import("../../main/app/electron.ts");
  await vi.waitFor(() => expect(fake.windows).toHaveLength(1));
});

afterAll(async () => {
  await new Promise<void>((settle) => {
    (app as unknown as { quit: () => void }).quit = settle;
    app.emit("will-quit", { preventDefault: () => {} });
  });
  rmSync(home, { recursive: true, force: true, maxRetries: 5 });
});

test("the window is sandboxed, at least 1024 wide, and loads our page only", () => {
  const [window] = fake.windows;
  expect(fake.isSandboxed).toBe(true);
  expect(window!.url).toBe("app://nullspace/");
  expect(window!.options).toMatchObject({ minWidth: 1024, show: false, webPreferences: { sandbox: true, contextIsolation: true } });
});

test("a port from our page answers rpc", async () => {
  const { port1, port2 } = new MessageChannel();
  ipcMain.emit(channels.connect, { ports: [port2], senderFrame: ownFrame });
  port1.start();
  const info = await portClient(port1 as never).system.info();
  expect(info).toMatchObject({ platform: process.platform, home });
  port1.close();
});

test.each(strangers)("frame %o gets no rpc and no dialog", async (senderFrame) => {
  const { port1, port2 } = new MessageChannel();
  ipcMain.emit(channels.connect, { ports: [port2], senderFrame });
  const call = portClient(port1 as never).system.info();
  port1.start();
  const isAnswered = await Promise.race([call.then(() => true), new Promise((settle) => setTimeout(() => settle(false), 200))]);
  expect(isAnswered).toBe(false);
  expect(await fake.handlers.get(channels.chooseFolder)!({ senderFrame }, "Choose")).toBeNull();
  port1.close();
  port2.close();
});

test("the file dialog takes plain extensions only", async () => {
  const chosen = await fake.handlers.get(channels.chooseFile)!({ senderFrame: ownFrame }, "Rows", ["jsonl", "../x", "*", "csv"]);
  expect(chosen).toBe("/data/rows.jsonl");
  expect(fake.dialogs.at(-1)).toMatchObject({ properties: ["openFile"], filters: [{ extensions: ["jsonl", "csv"] }] });
});
