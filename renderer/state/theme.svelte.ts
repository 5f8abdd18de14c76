// Light, dark or as the system has it. Kept in this browser for an instant start, and in the app's settings for all.

export type Theme = "system" | "light" | "dark";

const storageKey = "nullspace.theme";

export class ThemeState {
  choice = $state<Theme>("system");
  /** Counts changes of the colours in use: charts read their colours again. */
  version = $state(0);
  #changes = 0;

  /** Applies the kept choice and watches the system's; returns the stop. */
  start(): () => void {
    const kept = localStorage.getItem(storageKey);
    this.#apply(kept === "light" || kept === "dark" ? kept : "system");
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    const changed = (): void => this.#changed();
    system.addEventListener("change", changed);
    return () => system.removeEventListener("change", changed);
  }

  /** The app's choice, where this browser has none of its own yet. */
  adopt(theme: Theme): void {
    if (localStorage.getItem(storageKey) === null) this.#apply(theme);
  }

  choose(theme: Theme): void {
    localStorage.setItem(storageKey, theme);
    this.#apply(theme);
  }

  #apply(theme: Theme): void {
    this.choice = theme;
    if (theme === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme;
    this.#changed();
  }

  /** Writes only: an effect that starts this class must not depend on what it changes. */
  #changed(): void {
    this.version = ++this.#changes;
  }
}
