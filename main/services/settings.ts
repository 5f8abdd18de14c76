// The app's settings: what the window remembers.

import type { Deps } from "./deps.ts";
import { runParams } from "./params/runs.ts";
import type { AppSettings } from "./shapes/app.ts";

const themes = ["system", "light", "dark"] as const;

export function settingsService({ store, changes }: Pick<Deps, "store" | "changes">) {
  function get(): AppSettings {
    const theme = themes.find((name) => name === store.settings.get("theme")) ?? "system";
    const lastRun = runParams.safeParse(store.settings.get("lastRun"));
    return { theme, lastRun: lastRun.success ? lastRun.data : null };
  }
  return {
    get,
    set(changed: { theme?: AppSettings["theme"] | undefined }): AppSettings {
      if (changed.theme !== undefined) store.settings.set("theme", changed.theme);
      changes.touch();
      return get();
    },
  };
}
