// What axe-core finds on the page as it stands. In: a page. Out: serious and critical findings, each with its places.

import axe from "axe-core";
import type { Page } from "playwright-core";

interface Finding {
  id: string;
  impact?: string | null;
  nodes: { html: string }[];
}

export async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const findings = (await page.evaluate("axe.run(document).then(({ violations }) => violations)")) as Finding[];
  return findings
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
}
