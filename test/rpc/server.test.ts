import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startServer, type RunningServer } from "../../main/rpc/http.ts";
import { makeRouter } from "../../main/rpc/router.ts";
import { fakeWorld, type FakeWorld } from "../services/fake-app.ts";

let world: FakeWorld;
let server: RunningServer;
let folder = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-pages-"));
  mkdirSync(join(folder, "pages", "assets"), { recursive: true });
  writeFileSync(join(folder, "pages", "index.html"), "<!doctype html><title>Nullspace</title>");
  writeFileSync(join(folder, "pages", "assets", "main.js"), "export {};");
  writeFileSync(join(folder, "secret.json"), '{"secret": true}');
  symlinkSync(join(folder, "secret.json"), join(folder, "pages", "link.json"));
  world = fakeWorld();
  const router = makeRouter({ services: world.open().services, log() {} });
  server = await startServer({ router, pages: join(folder, "pages"), port: 0 });
});
afterAll(async () => {
  await server.close();
  await world.remove();
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** A raw request: fetch would not let a test set Host. */
function get(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port: server.port, path, method, headers }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    outgoing.on("error", reject).end();
  });
}

const cookie = () => ({ Cookie: `nullspace_${server.port}=${server.token}` });

function upgrade(headers: Record<string, string>, query = ""): Promise<string> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/rpc${query}`, { headers });
    socket.on("open", () => (socket.terminate(), resolve("open")));
    socket.on("unexpected-response", (_request, response) => resolve(String(response.statusCode)));
    socket.on("error", () => resolve("error"));
  });
}

test("the address with its token gives a cookie and loses the token", async () => {
  const first = await get(`/?token=${server.token}`);
  expect(first.status).toBe(303);
  expect(first.headers["location"]).toBe("/");
  expect(String(first.headers["set-cookie"])).toMatch(/HttpOnly; SameSite=Strict/);
  const second = await get("/", cookie());
  expect(second).toMatchObject({ status: 200 });
  expect(second.body).toContain("Nullspace");
  expect(second.headers["content-security-policy"]).toContain("default-src 'none'");
});

test("without the token nothing is served, neither pages nor rpc", async () => {
  expect((await get("/")).status).toBe(401);
  expect((await get("/?token=wrong")).status).toBe(401);
  expect(await upgrade({})).toBe("401");
});

test("a Host that is not this server is refused, whatever token comes with it", async () => {
  for (const host of ["evil.example", `evil.example:${server.port}`, "127.0.0.1.evil.example", "localhost@evil.example"]) {
    expect((await get("/", { ...cookie(), Host: host })).status, host).toBeGreaterThanOrEqual(400);
  }
  expect(await upgrade({ ...cookie(), Host: "evil.example" })).toBe("403");
  expect((await get("/", { ...cookie(), Host: `localhost:${server.port}` })).status).toBe(200);
});

test("a page of another site or another port opens no WebSocket", async () => {
  for (const origin of ["http://evil.example", "null", "http://localhost:1", `https://127.0.0.1:${server.port}`, `http://127.0.0.1:${server.port}.evil.example`]) {
    expect(await upgrade({ ...cookie(), Origin: origin }), origin).toBe("403");
  }
  expect(await upgrade({ ...cookie(), Origin: `http://127.0.0.1:${server.port}` })).toBe("open");
});

test("files outside the built window are not found, however they are asked for", async () => {
  for (const path of ["/../secret.json", "/%2e%2e/secret.json", "/..%2fsecret.json", "/assets/../../secret.json", "/link.json", "/%00", "/%", "//etc/passwd", "/assets"]) {
    const answer = await get(path, cookie());
    expect(answer.status, path).toBe(404);
    expect(answer.body).not.toContain("secret");
  }
  expect((await get("/assets/main.js", cookie())).status).toBe(200);
});

test("anything but reading is refused", async () => {
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) expect((await get("/", cookie(), method)).status).toBe(405);
});

test("an oversized frame ends its connection and nothing else", async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/rpc?token=${server.token}`);
  await new Promise((resolve) => socket.on("open", resolve));
  const closed = new Promise((resolve) => socket.on("close", resolve));
  socket.on("error", () => {});
  socket.send(Buffer.alloc(5 * 1024 * 1024));
  await closed;
  expect((await get("/", cookie())).status).toBe(200);
});

test("a window that has not been built says which command builds it", async () => {
  const router = makeRouter({ services: world.open().services, log() {} });
  const bare = await startServer({ router, pages: join(folder, "none"), port: 0, token: "t" });
  const answer = await fetch(`http://127.0.0.1:${bare.port}/`, { headers: { Cookie: `nullspace_${bare.port}=t` } });
  expect(answer.status).toBe(503);
  expect(await answer.text()).toContain("npm run build:renderer");
  await bare.close();
});

test("a port in use is a user error with the way out", async () => {
  const router = makeRouter({ services: world.open().services, log() {} });
  await expect(startServer({ router, pages: folder, port: server.port })).rejects.toMatchObject({ name: "UserError", fix: expect.stringContaining("--port") });
});

test("an address that sends wrong tokens again and again has to wait", async () => {
  let status = 0;
  for (let tries = 0; tries < 40 && status !== 429; tries++) status = (await get("/?token=guess")).status;
  expect(status).toBe(429);
});
