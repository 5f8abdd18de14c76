// The colours of pictures in the page: those of the present theme.

import type { Palette } from "../../main/rpc/pictures.ts";

export const pagePalette: Palette = {
  ground: "none",
  ink: "var(--ink)",
  quiet: "var(--ink-3)",
  line: "var(--line)",
  accent: "var(--accent)",
  second: "var(--caution)",
  series: ["var(--accent)", "var(--caution)", "var(--danger)", "var(--ink)"],
};
