// Two texts beside each other in a terminal, wrapped at words.

const gap = "  │  ";

export function sideBySide(left: { title: string; text: string }, right: { title: string; text: string }, columns: number): string {
  const width = Math.max(20, Math.floor((Math.min(columns, 120) - gap.length) / 2));
  const [a, b] = [left, right].map(({ title, text }) => [title, "─".repeat(width), ...wrapped(text, width)]);
  const rows = Math.max(a.length, b.length);
  return Array.from({ length: rows }, (_, i) => `${(a[i] ?? "").padEnd(width)}${gap}${b[i] ?? ""}`.trimEnd()).join("\n");
}

function wrapped(text: string, width: number): string[] {
  return text.split("\n").flatMap((line) => {
    const lines: string[] = [];
    let current = "";
    for (const word of line.split(" ")) {
      const pieces = word.match(new RegExp(`.{1,${width}}`, "gu")) ?? [""];
      for (const piece of pieces) {
        const joined = current === "" ? piece : `${current} ${piece}`;
        if (joined.length <= width) current = joined;
        else {
          lines.push(current);
          current = piece;
        }
      }
    }
    return [...lines, current];
  });
}
