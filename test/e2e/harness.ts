// The set-up of browser tests: a real `nullspace serve` on a free port with a store of its own, and a page in it.
// In: the checkout and a Chromium-family browser. Out: a page to drive, screenshots under test-results/. Nothing of it
// outlives the test: server, browser and store are gone after close().

import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { test } from "vitest";
import { findBrowser, quietFlags } from "../../scripts/browser.ts";
import { serveWindow, type WindowServer } from "../../scripts/serve-window.ts";
import { repoRoot } from "../support/shared-paths.ts";

export interface WindowUnderTest {
  page: Page;
  browser: Browser;
  server: WindowServer;
  /** The store's folder (NULLSPACE_HOME). */
  home: string;
  /** Errors the page threw or logged, in order. */
  pageErrors: string[];
  /** Writes test-results/NAME.png. */
  screenshot(name: string): Promise<string>;
  /** Another page of the same server, for example a second window on the same run. */
  openPage(options?: BrowserContextOptions): Promise<Page>;
  close(): Promise<void>;
}

/** Why browser tests cannot run, or null where they can. `npm test` builds the window and finds or installs a browser. */
export const browserMissing: string | null = whyNot();

/** A test that drives a browser; a named skip where there is none. */
export const browserTest = test.skipIf(browserMissing !== null);

export interface OpenOptions {
  /** More environment for the server, for example folders with models. */
  env?: NodeJS.ProcessEnv;
  /** A store that is there already; it is then left in place. */
  home?: string;
  context?: BrowserContextOptions;
}

export async function openWindow({ env, home, context }: OpenOptions = {}): Promise<WindowUnderTest> {
  const executablePath = findBrowser();
  if (executablePath === null) throw new Error("No browser was found.");
  const store = home ?? mkdtempSync(join(tmpdir(), "nullspace-e2e-"));
  const server = await serveWindow({ repoRoot, port: 0, env: { ...process.env, ...env, NULLSPACE_HOME: store } });
  const browser = await chromium.launch({ executablePath, args: [...quietFlags] }).catch(async (error: unknown) => {
    await server.stop();
    throw error;
  });
  const pageErrors: string[] = [];
  const openPage = async (options: BrowserContextOptions = {}): Promise<Page> => {
    const opened = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...context, ...options });
    const page = await opened.newPage();
    page.on("pageerror", (error) => pageErrors.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") pageErrors.push(message.text());
    });
    await page.goto(server.url);
    return page;
  };
  const close = async (): Promise<void> => {
    await browser.close();
    await server.stop();
    if (home === undefined) rmSync(store, { recursive: true, force: true, maxRetries: 5 });
  };
  const page = await openPage().catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const screenshot = async (name: string): Promise<string> => {
    const folder = join(repoRoot, "test-results");
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `${name}.png`);
    await page.screenshot({ path });
    return path;
  };
  return { page, browser, server, home: store, pageErrors, screenshot, openPage, close };
}

function whyNot(): string | null {
  if (findBrowser() === null) return "no Chrome, Chromium or Edge was found (CHROME_PATH)";
  if (!existsSync(join(repoRoot, "dist/renderer/index.html"))) return "the window is not built (npm run build:renderer)";
  return null;
}
