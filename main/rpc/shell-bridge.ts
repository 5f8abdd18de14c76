// What the Electron shell gives the window besides rpc: types and names only, so that the window, the preload script
// and the shell agree. In a browser there is no bridge, and the window uses a WebSocket and typed paths instead.
//
// Connecting, from the window:
//   const { port1, port2 } = new MessageChannel();
//   window.postMessage(shellConnect, window.location.origin, [port2]);
//   const client = portClient(port1); // client.ts; then port1.start()

/** The message the window posts to itself, with one port, to open an rpc connection through the shell. */
export const shellConnect = "nullspace:connect";

export interface ShellBridge {
  /** The system's folder dialog; null where the user cancels. */
  chooseFolder(title: string): Promise<string | null>;
  /** The system's file dialog for files with these extensions (no dots); null where the user cancels. */
  chooseFile(title: string, extensions: readonly string[]): Promise<string | null>;
  /** Absolute path of a file or folder dropped on the window. */
  pathOf(file: File): string;
  /** Share of the work done, 0 to 1, on the dock or taskbar; null takes it away. */
  showProgress(share: number | null): void;
}

/** The bridge is `globalThis.nullspaceShell`, present in Electron only. */
export const bridgeName = "nullspaceShell";
