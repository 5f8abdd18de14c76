// Electron's security checklist, as rules: what the page may load, ask for and open. All answers are "no" but one.
// In: a session or a window's contents. Out: handlers set on them. Imports no Electron at run time, so tests can call it.

import type { Session, WebContents, WebPreferences } from "electron";

export const pageScheme = "app";
export const pageOrigin = `${pageScheme}://nullspace`;

export function pagePreferences(preload: string): WebPreferences {
  return {
    preload,
    sandbox: true,
    contextIsolation: true,
    nodeIntegration: false,
    nodeIntegrationInWorker: false,
    nodeIntegrationInSubFrames: false,
    webSecurity: true,
    webviewTag: false,
    navigateOnDragDrop: false,
    spellcheck: false,
  };
}

export function isOwnPage(url: string): boolean {
  const parsed = URL.parse(url);
  return parsed !== null && `${parsed.protocol}//${parsed.host}` === pageOrigin;
}

const ownBlob = `blob:${pageOrigin}/`;

/** The page may put text on the clipboard (error details); every other permission and every device is refused. */
export function isPermitted(permission: string, requestingUrl: string): boolean {
  return permission === "clipboard-sanitized-write" && isOwnPage(requestingUrl);
}

export function guardSession(session: Session): void {
  session.setPermissionRequestHandler((_contents, permission, answer, { requestingUrl }) => {
    answer(isPermitted(permission, requestingUrl));
  });
  session.setPermissionCheckHandler((_contents, permission, origin) => isPermitted(permission, origin));
  session.setDevicePermissionHandler(() => false);
  session.setDisplayMediaRequestHandler((_request, answer) => answer({}));
  // The page has nothing to fetch from anywhere: not even a fault in it can send data out.
  session.webRequest.onBeforeRequest(({ url }, answer) => answer({ cancel: !isLocalRequest(url) }));
  // What the page itself has made may be saved, where the user says; nothing is fetched to disk.
  session.on("will-download", (event, item) => {
    if (!item.getURL().startsWith(ownBlob)) event.preventDefault();
  });
}

export function guardContents(contents: WebContents): void {
  contents.setWindowOpenHandler(() => ({ action: "deny" }));
  contents.on("will-navigate", (event) => {
    if (!isOwnPage(event.url)) event.preventDefault();
  });
  contents.on("will-redirect", (event) => event.preventDefault());
  contents.on("will-frame-navigate", (event) => {
    if (!isOwnPage(event.url)) event.preventDefault();
  });
  contents.on("will-attach-webview", (event) => event.preventDefault());
}

function isLocalRequest(url: string): boolean {
  return isOwnPage(url) || url.startsWith("data:") || url.startsWith(ownBlob) || url.startsWith("devtools:");
}
