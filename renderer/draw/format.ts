// Numbers as people read them, always with their unit.

const binary = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < binary.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${binary[unit]}`;
}

/** 134.5 M, 7.2 B; below ten thousand as it is. */
export function formatCount(count: number): string {
  const steps = [
    [1e12, "T"],
    [1e9, "B"],
    [1e6, "M"],
    [1e4, "k"],
  ] as const;
  for (const [size, name] of steps) {
    if (count >= size) {
      const value = count / (name === "k" ? 1e3 : size);
      return `${value >= 100 ? Math.round(value) : value.toFixed(1)} ${name}`;
    }
  }
  return formatWhole(count);
}

/** Whole numbers with thin spaces between thousands. */
export function formatWhole(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, "\u2009");
}

/** 0.4 s · 12 s · 4 min 05 s · 2 h 03 min · 3 d 4 h */
export function formatDuration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

/** Time left, coarse enough not to flicker. */
export function formatLeft(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 10) return "a few seconds";
  if (seconds < 60) return `about ${Math.round(seconds / 5) * 5} s`;
  if (seconds < 3600) return `about ${Math.round(seconds / 60)} min`;
  return `about ${formatDuration(Math.round(seconds / 60) * 60_000)}`;
}

/** Three significant digits, in exponent form where that is shorter: 0.0002 → 2e-4. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : "infinite";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-3) return value.toExponential(2).replace(/\.?0+e/, "e");
  if (size >= 1e4) return formatCount(value);
  return String(Number(value.toPrecision(size >= 100 ? 4 : 3)));
}

export function formatLoss(nats: number): string {
  return Number.isFinite(nats) ? nats.toFixed(nats >= 10 ? 2 : 3) : "not a number";
}

export function formatPercent(share: number): string {
  const percent = share * 100;
  return `${percent >= 99.95 || percent === 0 ? Math.round(percent) : percent.toFixed(1)} %`;
}

export function formatRate(perSecond: number, unit: string): string {
  const value = perSecond >= 100 ? formatWhole(perSecond) : perSecond.toPrecision(perSecond >= 10 ? 3 : 2);
  return `${value} ${unit}/s`;
}

/** just now · 5 min ago · today 14:03 · 3 Sep 14:03 */
export function formatWhen(atMs: number, nowMs: number): string {
  const ago = nowMs - atMs;
  if (ago < 60_000) return "just now";
  if (ago < 3_600_000) return `${Math.floor(ago / 60_000)} min ago`;
  const at = new Date(atMs);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  const isToday = new Date(nowMs).toDateString() === at.toDateString();
  return isToday ? `today ${time}` : `${at.getDate()} ${at.toLocaleString("en", { month: "short" })} ${time}`;
}

export function formatClock(atMs: number): string {
  const at = new Date(atMs);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** The last part of a path, on any system. */
export function baseName(path: string): string {
  return path.split(/[/\\]/).filter(Boolean).at(-1) ?? path;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatWhole(count)} ${count === 1 ? one : many}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
