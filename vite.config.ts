// Builds the window (renderer/) into dist/renderer, served as it is by the Electron shell and by `nullspace serve`.
// No inlined scripts or styles: the content security policy allows files of our own origin only.

import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

export default defineConfig({
  root: "renderer",
  base: "./",
  plugins: [svelte({ configFile: false })],
  build: {
    outDir: "../dist/renderer",
    emptyOutDir: true,
    target: "chrome130",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
