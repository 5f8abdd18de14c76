// The pictures that window and command line both draw: plain functions from a report to SVG.

export { drawHeat, type HeatPicture } from "../services/pictures/start-heat.ts";
export { drawLayer, percent } from "../services/pictures/start-layer.ts";
export { paper, type Palette } from "../services/pictures/svg.ts";
