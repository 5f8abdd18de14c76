// The preload script: the only code that sees both the page and Electron. Sandboxed, and bundled as one CommonJS file.
// In: calls of the page. Out: the four functions of ShellBridge, and rpc ports handed on to the shell.

import { contextBridge, ipcRenderer, webUtils } from "electron";
import { bridgeName, shellConnect, type ShellBridge } from "../rpc/shell-bridge.ts";
import { channels } from "./channels.ts";

const bridge: ShellBridge = {
  chooseFolder: (title) => ipcRenderer.invoke(channels.chooseFolder, title) as Promise<string | null>,
  chooseFile: (title, extensions) => ipcRenderer.invoke(channels.chooseFile, title, extensions) as Promise<string | null>,
  pathOf: (file) => webUtils.getPathForFile(file),
  showProgress: (share) => ipcRenderer.send(channels.showProgress, share),
};

contextBridge.exposeInMainWorld(bridgeName, bridge);

/** What this script needs of the page; the DOM's types belong to the window's own compiler settings. */
interface Page {
  addEventListener(type: "message", listener: (event: { source: unknown; data: unknown; ports: InstanceType<typeof MessagePort>[] }) => void): void;
}

const page = globalThis as unknown as Page;
page.addEventListener("message", (event) => {
  if (event.source !== page || event.data !== shellConnect) return;
  const port = event.ports[0];
  if (port !== undefined) ipcRenderer.postMessage(channels.connect, null, [port]);
});
