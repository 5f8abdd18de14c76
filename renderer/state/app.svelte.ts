// Everything the window holds, made once by main.ts and reached by components through Svelte's context.

import { createContext } from "svelte";
import { ChatsState } from "./chats.svelte.ts";
import { CompareState } from "./compare.svelte.ts";
import { Connection } from "./connection.svelte.ts";
import { ModelsState } from "./models.svelte.ts";
import { NewRunState } from "./new-run.svelte.ts";
import { Notices } from "./notices.svelte.ts";
import { Route } from "./route.svelte.ts";
import { RunsState } from "./runs.svelte.ts";
import { SampleState } from "./sample.svelte.ts";
import { SystemState } from "./system.svelte.ts";
import { ThemeState } from "./theme.svelte.ts";
import { chooseTransport } from "./transport.ts";

export interface App {
  connection: Connection;
  route: Route;
  theme: ThemeState;
  notices: Notices;
  system: SystemState;
  models: ModelsState;
  runs: RunsState;
  newRun: NewRunState;
  chats: ChatsState;
  compare: CompareState;
  sample: SampleState;
}

export const [useApp, provideApp] = createContext<App>();

export function makeApp(): App {
  const connection = new Connection(chooseTransport());
  const notices = new Notices();
  const system = new SystemState(connection);
  const runs = new RunsState(connection, notices);
  const chats = new ChatsState(connection, notices);
  return {
    connection,
    route: new Route(),
    theme: new ThemeState(),
    notices,
    system,
    models: new ModelsState(connection),
    runs,
    newRun: new NewRunState(connection, system),
    chats,
    compare: new CompareState(connection, notices, runs, chats),
    sample: new SampleState(connection),
  };
}
