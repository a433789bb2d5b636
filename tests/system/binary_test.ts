/**
 * The compiled program does its main job where nothing helps it: no Deno, no packages, no environment, another name,
 * another user, nothing to write. UGATE_BINARY names it.
 */
import { freePort } from "../../scripts/free_ports.ts";
import { need } from "../../scripts/clients.ts";
import { PAGE } from "../../gate/admin/page.ts";
import { VERSION } from "../../gate/version.ts";
import { equal, ok } from "../support/assert.ts";
import { ask, givenBinary, rewrite, serve, settle } from "../support/binary.ts";
import { Folder, succeed } from "../support/child.ts";
import { type Client, connect, listen, listenEcho, pattern, socks } from "../support/net.ts";
import { startPythonHttps } from "../support/servers.ts";

const BINARY = await givenBinary();
const DONE = 0, FAILED = 1, USAGE = 2;
/** ms until what was asked of the gate has happened, and between two looks. */
const HAPPENS_TIME = 10_000, LOOK_AGAIN = 20;

const ignore = BINARY === undefined;
const withBinary = (name: string, fn: (binary: string) => Promise<void>) =>
  Deno.test({ name, ignore, fn: () => fn(BINARY!) });

const LOCAL = `
listeners:
  local: { address: "127.0.0.1:0", protocols: [socks, connect, tls] }
admin: { address: "off" }
`;

/** Whether somebody listens on that port of loopback. */
async function answers(port: number): Promise<boolean> {
  try {
    await using _client = await connect(port);
    return true;
  } catch {
    return false;
  }
}

/** Waits until `port` answers, or until it no longer does: a signal has no reply. */
async function until(port: number, expected: boolean): Promise<void> {
  const late = performance.now() + HAPPENS_TIME;
  while (await answers(port) !== expected) {
    if (performance.now() > late) {
      throw new Error(`port ${port}: ${expected ? "nobody" : "somebody"} listens`);
    }
    await new Promise((wake) => setTimeout(wake, LOOK_AGAIN));
  }
}

async function echoes(client: Client, text: string): Promise<void> {
  await client.write(text);
  equal(new TextDecoder().decode(await client.read(text.length)), text);
}

withBinary("the binary answers every verb without Deno, home or environment", async (binary) => {
  await using folder = await settle(binary, LOCAL);
  const version = await ask(folder, ["version"]);
  equal([version.code, version.stderr], [DONE, ""]);
  ok(version.stdout.startsWith(`ugate ${VERSION} (Deno `), version.stdout);
  const check = await ask(folder, ["check"]); // ./ugate.yaml
  equal([check.code, check.stderr], [DONE, ""]);
  const explain = await ask(folder, ["explain", "localhost:9"]);
  equal([explain.code, explain.stderr], [DONE, ""]);
  ok(explain.stdout.includes("127.0.0.1:9"), explain.stdout);
  equal((await ask(folder, ["explain", "169.254.169.254:80"])).code, FAILED);
  const schema = await ask(folder, ["schema"]);
  ok("listeners" in JSON.parse(schema.stdout).properties);
  const hash = await ask(folder, ["hash"], "secret\n");
  ok(/^scrypt:\S+\n$/.test(hash.stdout), hash.stdout + hash.stderr);
  equal((await ask(folder, ["rum"])).code, USAGE);
});

withBinary("the binary tells a broken configuration with its place", async (binary) => {
  await using folder = await settle(binary, 'listeners: { edge: { adress: "127.0.0.1:0" } }\n');
  for (const verb of ["check", "run"]) {
    const { code, stdout, stderr } = await ask(folder, [verb]);
    equal([code, stdout], [FAILED, ""]);
    ok(stderr.includes("ugate.yaml:1:") && stderr.includes("did you mean"), stderr);
  }
});

Deno.test({
  name: "the binary carries SOCKS, CONNECT and TLS by its name, as nobody and from a read-only directory",
  ignore: ignore || !need("curl", "openssl", "python3"),
  async fn() {
    await using files = await Folder.make();
    await using web = await startPythonHttps(files, "web.test");
    await using program = await serve(
      await settle(BINARY!, `${LOCAL}\nroutes: [{ host: web.test, to: "127.0.0.1:${web.port}" }]`),
    );
    const state = await Deno.readTextFile(`/proc/${program.child.pid}/status`);
    ok(/^Uid:\t65534\t65534\t65534\t65534$/m.test(state) && /^CapEff:\t0+$/m.test(state), state);
    equal(await Deno.readTextFile(`/proc/${program.child.pid}/environ`), "");
    const proxy = `127.0.0.1:${program.port("local")}`;
    const get = async (url: string, ...how: string[]) =>
      (await succeed("curl", ["-sS", "--max-time", "20", ...how, url])).stdout;
    for (const scheme of ["socks5h", "socks4a", "http"]) {
      equal(
        await get(`https://localhost:${web.port}/`, "-k", "-x", `${scheme}://${proxy}`),
        "I am web.test",
        scheme,
      );
    }
    const bySni = ["--cacert", web.cert, "--connect-to", `::${proxy}`];
    equal(await get("https://web.test/", ...bySni), "I am web.test");
    equal(await program.stop(), DONE);
    equal(program.records.map(({ protocol, outcome }) => `${protocol} ${outcome}`).sort(), [
      ...["connect ok", "socks ok", "socks ok", "tls ok"],
    ]);
  },
});

withBinary("the binary's admin page has everything it shows, and its verbs reach it", async (binary) => {
  await using program = await serve(await settle(binary, LOCAL.replace('"off"', '"127.0.0.1:0"')));
  const data = ["/status", "/metrics", "/connections", "/config", "/healthz", "/readyz"];
  for (const page of [...Object.keys(PAGE), ...data]) {
    const response = await program.admin(page);
    ok((await response.text()).length > 0);
    equal([page, response.status], [page, 200]);
  }
  const admin = program.addresses("admin")[0];
  for (const verb of ["status", "connections", "reload"]) {
    const { code, stderr } = await ask(program.folder, [verb, "--admin", admin]);
    equal([verb, code], [verb, DONE], stderr);
  }
  equal(await program.stop(), DONE);
});

withBinary(
  "the binary reloads on SIGHUP without cutting anyone, and a broken file changes nothing",
  async (binary) => {
    await using echo = await listenEcho();
    const [local, added] = [freePort(), freePort()];
    const listeners = (more = "") => `
listeners:
  local: { address: "127.0.0.1:${local}", protocols: [socks] }
${more}
admin: { address: "off" }
`;
    await using program = await serve(await settle(binary, listeners()), "--no-watch");
    await using client = await connect(local);
    await socks(client, "127.0.0.1", echo.port);
    await echoes(client, "before");
    const forward = `  added: { address: "127.0.0.1:${added}", to: "127.0.0.1:${echo.port}" }`;
    await rewrite(program.folder, listeners(forward));
    ok(!await answers(added), "it reloaded before it was asked to");
    program.child.signal("SIGHUP");
    await until(added, true);
    await echoes(client, "after");
    await rewrite(program.folder, listeners("  broken: { adress: 1 }"));
    program.child.signal("SIGHUP");
    await program.child.line(/ugate\.yaml:4:/);
    await using other = await connect(added);
    await echoes(other, "still there");
    await echoes(client, "and here");
    client.end();
    other.end();
    await Promise.all([client.readAll(), other.readAll()]);
    equal(await program.stop(), DONE);
  },
);

withBinary(
  "the binary ends a transfer that is under way at SIGTERM, while nobody new is let in",
  async (binary) => {
    const bytes = pattern(16 << 20), half = bytes.length / 2;
    const released = Promise.withResolvers<void>();
    await using server = await listen((socket) => {
      socket.write(bytes.subarray(0, half));
      void released.promise.then(() => socket.end(bytes.subarray(half)));
    });
    await using program = await serve(await settle(binary, LOCAL));
    const port = program.port("local");
    await using client = await connect(port);
    await socks(client, "127.0.0.1", server.port);
    const first = await client.read(half);
    program.child.signal("SIGTERM");
    await until(port, false);
    ok(!program.child.ended, "it has ended, with a transfer under way");
    released.resolve();
    const rest = await client.readAll();
    equal(first.length + rest.length, bytes.length);
    ok([first, rest].every((part, i) => part.every((byte, at) => byte === bytes[i * half + at])));
    client.end();
    equal(await program.child.exit(), DONE);
    const transfers = program.records.filter(({ target }) => target !== undefined);
    equal(transfers.map(({ outcome, down }) => [outcome, down]), [["ok", bytes.length]]);
  },
);
