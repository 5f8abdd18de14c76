// What the page that `nullspace serve` gives to a browser must not be able to do.

import { afterAll, beforeAll, describe, expect } from "vitest";
import { browserMissing, browserTest, openWindow, type WindowUnderTest } from "./harness.ts";

let window: WindowUnderTest;

beforeAll(async () => {
  if (browserMissing === null) window = await openWindow();
});
afterAll(() => window?.close());

describe("the page in a browser", () => {
  browserTest("opens, connects and logs no error", async () => {
    await window.page.getByRole("navigation").first().waitFor();
    await window.screenshot("policy-first-start");
    expect(window.pageErrors).toEqual([]);
  });

  browserTest("keeps the token out of the address", () => {
    expect(window.page.url()).not.toContain("token");
  });

  browserTest("runs no inline script and reaches no other server", async () => {
    const seen = await window.page.evaluate(async () => {
      const page = globalThis as unknown as { document: { createElement(tag: string): { textContent: string }; head: { append(node: unknown): void } }; ran?: boolean };
      const script = page.document.createElement("script");
      script.textContent = "globalThis.ran = true";
      page.document.head.append(script);
      const isOutsideReached = await fetch("http://127.0.0.1:9/").then(() => true, () => false);
      return { ran: page.ran === true, isOutsideReached };
    });
    expect(seen).toEqual({ ran: false, isOutsideReached: false });
  });
});
