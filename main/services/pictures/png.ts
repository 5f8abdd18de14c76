// The same pictures as PNG: resvg draws what svg.ts writes, with the typeface of the window (resvg brings none).
// In: an SVG. Out: the bytes of a PNG at twice its size. About 0.1 s a picture.

import { initWasm, Resvg } from "@resvg/resvg-wasm";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const pixelsPerUnit = 2;

export type PngPainter = (svg: string) => Uint8Array;

let isReady: Promise<void> | null = null;

export async function openPngPainter(): Promise<PngPainter> {
  const { resolve } = createRequire(import.meta.url);
  isReady ??= initWasm(readFileSync(resolve("@resvg/resvg-wasm/index_bg.wasm")));
  await isReady; // the module may be started once a process
  const family = "IBM Plex Sans";
  const font = { fontBuffers: [new Uint8Array(readFileSync(resolve("@fontsource-variable/ibm-plex-sans/files/ibm-plex-sans-latin-wght-normal.woff2")))], defaultFontFamily: family, sansSerifFamily: family };
  return (svg) => {
    const drawing = new Resvg(svg, { font, fitTo: { mode: "zoom", value: pixelsPerUnit } });
    const image = drawing.render();
    try {
      return image.asPng();
    } finally {
      image.free();
      drawing.free();
    }
  };
}
