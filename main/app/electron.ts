// Entry of the Electron app: puts the services, the rpc port and one window together, and does nothing else.
// In: the built window (dist/renderer), the store. Out: a window whose every call goes over a message port.

import { join } from "node:path";
import { app, BrowserWindow, dialog, ipcMain, nativeTheme, protocol, screen, session, type IpcMainEvent, type IpcMainInvokeEvent } from "electron";
import { portServer } from "../rpc/port.ts";
import { makeRouter } from "../rpc/router.ts";
import { openApp, type App } from "../services/app.ts";
import { appRoot } from "../services/system.ts";
import { channels } from "./channels.ts";
import { utilityEngine } from "./engine-launcher.ts";
import { pageResponse } from "./page-files.ts";
import { guardContents, guardSession, isOwnPage, pageOrigin, pagePreferences, pageScheme } from "./security.ts";
import { placeWindow, readWindowState, smallest, writeWindowState } from "./window-state.ts";

let window: BrowserWindow | null = null;
let services: App | null = null;
let isClosed = false;

function openWindow(): BrowserWindow {
  const statePath = join(app.getPath("userData"), "window.json");
  const saved = readWindowState(statePath);
  const areas = [screen.getPrimaryDisplay(), ...screen.getAllDisplays()].map(({ workArea }) => workArea);
  const opened = new BrowserWindow({
    ...placeWindow(saved, areas),
    minWidth: smallest.width,
    minHeight: smallest.height,
    show: false,
    title: "Nullspace",
    backgroundColor: nativeTheme.shouldUseDarkColors ? "#15171a" : "#ffffff",
    autoHideMenuBar: true,
    webPreferences: pagePreferences(join(import.meta.dirname, "preload.cjs")),
  });
  if (saved?.isMaximized === true) opened.maximize();
  opened.once("ready-to-show", () => opened.show());
  opened.on("close", () => writeWindowState(statePath, { ...opened.getNormalBounds(), isMaximized: opened.isMaximized() }));
  opened.on("closed", () => (window = null));
  void opened.loadURL(`${pageOrigin}/`);
  return opened;
}

/** Messages count only from the top frame of our own page. */
function isOurs({ senderFrame }: IpcMainEvent | IpcMainInvokeEvent): boolean {
  return senderFrame !== null && senderFrame.parent === null && isOwnPage(senderFrame.url);
}

function answerPage(opened: App): void {
  const serve = portServer(makeRouter(opened));
  ipcMain.on(channels.connect, (event) => {
    const port = event.ports[0];
    if (!isOurs(event) || port === undefined) return;
    serve(port);
    port.start();
  });
  ipcMain.on(channels.showProgress, (event, share: unknown) => {
    if (isOurs(event) && window !== null) window.setProgressBar(typeof share === "number" ? Math.min(1, Math.max(0, share)) : -1);
  });
  ipcMain.handle(channels.chooseFolder, (event, title: unknown) => (isOurs(event) ? choose(title, { properties: ["openDirectory"] }) : null));
  ipcMain.handle(channels.chooseFile, (event, title: unknown, extensions: unknown) => {
    if (!isOurs(event)) return null;
    const known = Array.isArray(extensions) ? extensions.filter((extension) => /^[a-z0-9]{1,16}$/i.test(String(extension))) : [];
    return choose(title, { properties: ["openFile"], filters: known.length > 0 ? [{ name: known.join(", "), extensions: known }] : [] });
  });
}

async function choose(title: unknown, options: Electron.OpenDialogOptions): Promise<string | null> {
  if (window === null) return null;
  const chosen = await dialog.showOpenDialog(window, { ...options, title: String(title).slice(0, 200) });
  return chosen.canceled ? null : (chosen.filePaths[0] ?? null);
}

async function start(): Promise<void> {
  await app.whenReady();
  guardSession(session.defaultSession);
  const pages = join(appRoot(), "dist/renderer");
  protocol.handle(pageScheme, ({ url }) => pageResponse(url, pages));
  services = openApp({ engine: { launch: utilityEngine } });
  answerPage(services);
  window = openWindow();
  app.on("activate", () => (window ??= openWindow()));
}

function run(): void {
  if (!app.requestSingleInstanceLock()) return app.quit(); // the first instance comes to the front instead
  app.enableSandbox();
  app.on("second-instance", () => {
    if (window?.isMinimized() === true) window.restore();
    window?.focus();
  });
  app.on("web-contents-created", (_event, contents) => guardContents(contents));
  app.on("window-all-closed", () => app.quit());
  app.on("will-quit", (event) => {
    if (services === null || isClosed) return;
    event.preventDefault(); // runs are left resumable first
    void services.close().finally(() => {
      isClosed = true;
      app.quit();
    });
  });
  protocol.registerSchemesAsPrivileged([{ scheme: pageScheme, privileges: { standard: true, secure: true, supportFetchAPI: true } }]);
  start().catch((error: unknown) => {
    dialog.showErrorBox("Nullspace cannot start", error instanceof Error ? error.message : String(error));
    app.exit(1);
  });
}

run();
