// Which page is shown, kept in the address's hash so that back, reload and links work: #/runs/3, #/compare?run=3.

export type PageName = "models" | "new" | "runs" | "run" | "compare";

export interface Place {
  page: PageName;
  /** The run of a run's page. */
  id: number | null;
  query: URLSearchParams;
}

export function parseHash(hash: string): Place {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?");
  const [head, tail] = path.split("/");
  const query = new URLSearchParams(search);
  const id = tail !== undefined && /^[1-9]\d*$/.test(tail) ? Number(tail) : null;
  if (head === "runs" && id !== null) return { page: "run", id, query };
  const isPage = head === "models" || head === "new" || head === "runs" || head === "compare";
  return { page: isPage ? head : "models", id: null, query };
}

export const pathTo = {
  models: "#/models",
  runs: "#/runs",
  newRun: (model?: string) => (model === undefined ? "#/new" : `#/new?model=${encodeURIComponent(model)}`),
  run: (id: number) => `#/runs/${id}`,
  compare: (run?: number) => (run === undefined ? "#/compare" : `#/compare?run=${run}`),
  chat: (id: number) => `#/compare?chat=${id}`,
};

export class Route {
  place = $state.raw<Place>(parseHash(""));

  /** Reads the address now and whenever it changes; returns the stop. */
  start(): () => void {
    const read = (): void => {
      this.place = parseHash(window.location.hash);
    };
    read();
    window.addEventListener("hashchange", read);
    return () => window.removeEventListener("hashchange", read);
  }

  go(path: string): void {
    window.location.hash = path;
  }

  /** The same page under another address, without a step back to the old one. */
  replace(path: string): void {
    window.history.replaceState(null, "", path);
    this.place = parseHash(path);
  }
}
