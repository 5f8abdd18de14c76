import { RPCLink } from "@orpc/client/websocket";
import { MessageChannel } from "node:worker_threads";
import { WebSocket } from "ws";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { errorParts, portClient, socketClient } from "../../main/rpc/client.ts";
import type { Client, RunEvent } from "../../main/rpc/contract.ts";
import { startServer } from "../../main/rpc/http.ts";
import { portServer } from "../../main/rpc/port.ts";
import { localClient, makeRouter, type Router } from "../../main/rpc/router.ts";
import { collect, fakeWorld, until, type FakeWorld } from "../services/fake-app.ts";

type Port = Parameters<typeof portClient>[0];
type Socket = Parameters<typeof socketClient>[0];

interface Connection {
  client: Client;
  close(): Promise<void> | void;
}

const transports: { name: string; connect: (router: Router) => Promise<Connection> | Connection }[] = [
  { name: "in process", connect: (router) => ({ client: localClient(router), close() {} }) },
  {
    name: "message port",
    connect(router) {
      const { port1, port2 } = new MessageChannel();
      portServer(router)(port1 as unknown as Port);
      const client = portClient(port2 as unknown as Port);
      return { client, close: () => port2.close() };
    },
  },
  {
    name: "WebSocket",
    async connect(router) {
      const server = await startServer({ router, pages: "/nowhere", port: 0 });
      const socket = new WebSocket(`ws://127.0.0.1:${server.port}/rpc?token=${server.token}`);
      const client = socketClient(socket as unknown as Socket);
      return { client, close: () => (socket.terminate(), server.close()) };
    },
  },
];

describe.each(transports)("over $name", ({ connect }) => {
  let world: FakeWorld;
  let connection: Connection;
  let client: Client;
  let logged = "";

  beforeEach(async () => {
    logged = "";
    world = fakeWorld();
    connection = await connect(makeRouter({ services: world.open().services, log: (text) => (logged += text) }));
    client = connection.client;
  });
  afterEach(async () => {
    await connection.close();
    await world.remove();
  });

  const start = (model: string, changes: object = {}) =>
    client.runs.start({ model: world.model(model), questions: world.questions, data: world.data, samples: 3, steps: 6, checkpointEverySteps: 2, ...changes });
  const failure = async (call: Promise<unknown>) => errorParts(await call.then(() => null, (error: unknown) => error));

  test("a call gives its answer", async () => {
    expect(await client.system.info()).toMatchObject({ platform: process.platform, home: world.home });
    expect(await client.runs.list()).toEqual([]);
  });

  test("a run is started, followed to its end and shown", async () => {
    const { id } = await start("plain");
    const events: RunEvent[] = await collect(await client.runs.follow({ id }));
    expect(events.at(-1)).toMatchObject({ type: "ended", run: { id, status: "done", lastStep: 6 } });
    expect(events.flatMap((event) => (event.type === "points" ? event.points.map((point) => point.step) : []))).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await client.runs.points({ id, afterStep: 4 })).toHaveLength(2);
    expect((await client.runs.show({ id })).stages.map((stage) => stage.status)).toEqual(["done", "done", "done"]);
  });

  test("a user error keeps its three parts", async () => {
    expect(await failure(client.runs.show({ id: 77 }))).toEqual({ what: "There is no run 77.", where: "runs: id", fix: "runs list shows those that are there.", isBug: false });
  });

  test("params that the schema refuses name their field", async () => {
    expect(await failure(start("plain", { rank: 0 }))).toMatchObject({ where: "runs.start: rank", isBug: false });
    expect(await failure(start("plain", { model: "" }))).toMatchObject({ where: "runs.start: model" });
    expect(await client.runs.list(), "nothing was started").toEqual([]);
  });

  test("answers stream column by column and are saved", async () => {
    const model = world.model("plain");
    const chat = { model, subjects: [{ kind: "base" as const }, { kind: "adapter" as const, path: model }] };
    const events = await collect(await client.chats.ask({ chat, prompt: "hi" }));
    const text = (column: number) => events.flatMap((event) => (event.type === "token" && event.column === column ? [event.text] : [])).join("");
    const done = events.at(-1);
    if (done?.type !== "done") throw new Error("not done");
    expect(done.turn.answers.map((answer) => answer.text)).toEqual([text(0), text(1)]);
    expect((await client.chats.show({ id: done.chatId })).turns).toEqual([done.turn]);
  });

  test("leaving a stream stops the work behind it", async () => {
    const controller = new AbortController();
    const chat = { model: world.model("slow"), subjects: [{ kind: "base" as const }] };
    const events = await client.chats.ask({ chat, prompt: "hi" }, { signal: controller.signal });
    for await (const event of events) if (event.type === "token") break;
    controller.abort();
    const again = await collect(await client.chats.ask({ chat, prompt: "hi" }));
    expect(again.at(-1)?.type).toBe("done");
    const kept = await Promise.all((await client.chats.list()).map(({ id }) => client.chats.show({ id })));
    expect(kept.map(({ turns }) => turns[0]!.answers[0]!.stopped).sort(), "what was said until it was left is kept").toEqual(["eos", "hand"]);
  });

  test("an error in the middle of a stream arrives with its parts", async () => {
    const events = client.stages.calibrate({ model: world.model("wrong"), questions: world.questions, out: `${world.folder}/grams` });
    expect(await failure(events.then(collect))).toMatchObject({ where: "config.json: hidden_size", isBug: false });
  });

  test("a fault of ours gives an id that is in the log, and no stack", async () => {
    const events = client.stages.calibrate({ model: world.model("bug"), questions: world.questions, out: `${world.folder}/grams` });
    const parts = await failure(events.then(collect));
    expect(parts.isBug).toBe(true);
    expect(logged).toContain(parts.where);
    expect(logged).toContain("fake-jobs");
  });

  test("a list that is followed shows a run from start to end", async () => {
    const controller = new AbortController();
    const seen = new Set<string>();
    const lists = await client.runs.followList({}, { signal: controller.signal });
    await start("plain");
    for await (const list of lists) {
      list.forEach((run) => seen.add(run.status));
      if (seen.has("done")) break;
    }
    controller.abort();
    expect(seen).toContain("running");
  });

  test("a probe's answers come while it works, and flips are listed", async () => {
    const model = world.model("plain");
    const { id } = await client.probe.start({ model, adapter: model, questions: world.questions, limit: 8 });
    const events = await collect(await client.probe.follow({ id }));
    expect(events.at(-1)).toMatchObject({ type: "ended", probe: { status: "done", lost: 2 } });
    expect(events.flatMap((event) => (event.type === "answers" ? event.answers : []))).toHaveLength(16);
    expect((await client.probe.answers({ id, only: "lost" })).map((pair) => pair.index)).toEqual([2, 6]);
  });

  test("probes wait for each other and share one process", async () => {
    const model = world.model("plain");
    const first = await client.probe.start({ model, questions: world.questions, limit: 4 });
    const second = await client.probe.start({ model, questions: world.questions, limit: 4 });
    for (const { id } of [first, second]) expect((await collect(await client.probe.follow({ id }))).at(-1)).toMatchObject({ probe: { status: "done" } });
    expect(world.pids).toHaveLength(1);
  });

  test("a probe that is cancelled ends as cancelled and keeps its answers", async () => {
    const model = world.model("slow");
    const { id } = await client.probe.start({ model, questions: world.questions, limit: 1000 });
    let answers = 0;
    const events = [];
    for await (const event of await client.probe.follow({ id })) {
      events.push(event);
      if (event.type === "answers" && answers === 0) await client.probe.cancel({ id });
      if (event.type === "answers") answers += event.answers.length;
    }
    expect(events.at(-1)).toMatchObject({ type: "ended", probe: { status: "cancelled" } });
    expect(answers).toBeGreaterThan(0);
    expect(await client.probe.answers({ id })).toHaveLength(answers);
  });
});

test("a client that vanishes leaves its run at work", async () => {
  const world = fakeWorld();
  const { services } = world.open();
  const server = await startServer({ router: makeRouter({ services, log() {} }), pages: "/nowhere", port: 0 });
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/rpc?token=${server.token}`);
  const client = socketClient(socket as unknown as Socket);
  const { id } = await client.runs.start({ model: world.model("slow"), questions: world.questions, data: world.data, samples: 3, steps: 20 });
  socket.terminate();
  await until(() => services.runs.show(id).status === "done", "the run is done");
  await server.close();
  await world.remove();
});

test("a client that vanishes stops the answer that it alone was waiting for", async () => {
  const world = fakeWorld();
  const server = await startServer({ router: makeRouter({ services: world.open().services, log() {} }), pages: "/nowhere", port: 0 });
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/rpc?token=${server.token}`);
  const client = socketClient(socket as unknown as Socket);
  const events = await client.chats.ask({ chat: { model: world.model("deaf"), subjects: [{ kind: "base" }] }, prompt: "hi" });
  const next = events.next().catch(() => {});
  await until(() => world.pids.length === 1, "the engine process is there");
  socket.terminate();
  await until(() => !isAlive(world.pids[0]!), "the engine process is gone");
  await next;
  await server.close();
  await world.remove();
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("names that every object has are not procedures", async () => {
  const world = fakeWorld();
  const server = await startServer({ router: makeRouter({ services: world.open().services, log() {} }), pages: "/nowhere", port: 0 });
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/rpc?token=${server.token}`);
  const link = new RPCLink({ websocket: socket as unknown as Socket });
  for (const path of [["runs", "constructor"], ["runs", "__proto__"], ["__proto__", "toString"], ["constructor"], ["runs", "list", "~orpc"]]) {
    await expect(link.call(path, {}, { context: {} }), path.join(".")).rejects.toMatchObject({ code: "NOT_FOUND" });
  }
  await expect(link.call(["runs", "list"], {}, { context: {} })).resolves.toEqual([]);
  await server.close();
  await world.remove();
});
