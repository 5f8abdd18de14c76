// Hands a file over to the user: the browser's download, or the system's dialog in the desktop app.

export function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the dialog may stand open a while
}

/** Draws an SVG with a size of its own into a PNG of twice that size, and saves it. */
export async function savePng(svg: string, name: string): Promise<void> {
  const url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: 2 * image.width, height: 2 * image.height });
    canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise<Blob | null>((settle) => canvas.toBlob(settle, "image/png"));
    if (blob === null) throw new Error(`The browser could not draw ${canvas.width} × ${canvas.height} pixels.`);
    saveBlob(blob, name);
  } finally {
    URL.revokeObjectURL(url);
  }
}
