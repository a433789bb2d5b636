/** Who may use a proxy: passwords and hashes, by SOCKS5 and by CONNECT, and what a guesser gets. */
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { run } from "../support/child.ts";
import { Program, ugate } from "../support/program.ts";

const CURLE_PROXY = 97, CURLE_RECV_ERROR = 56;
/** What a source may get wrong before it has to wait. */
const MOST_FAILURES = 10;

interface World {
  readonly program: Program;
  readonly url: string;
}

/** curl through the proxy as this user; its exit code, and what it told. */
async function curl({ program, url }: World, proxy: "socks5h" | "http", user?: string, more: string[] = []) {
  const login = user === undefined ? [] : ["--proxy-user", user];
  const at = [...proxy === "http" ? ["-p"] : [], "-x", `${proxy}://127.0.0.1:${program.port("proxy")}`];
  return await run("curl", ["-sSv", "--max-time", "20", ...at, ...login, ...more, url]);
}

async function withGate(act: (world: World) => Promise<void>): Promise<void> {
  const hashed = await ugate(["hash"], { stdin: "o'r ange: secret\n" });
  equal(hashed.code, 0, hashed.stderr);
  await using web = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => new Response("hello"),
  );
  await using program = await Program.start(
    `
listeners:
  proxy:
    address: "127.0.0.1:0"
    protocols: [socks, connect, tls]
    users: { alice: "\${ALICE_PASSWORD}", bob: "${hashed.stdout.trim()}" }
admin: { address: "off" }
policy:
  - { deny: { user: bob, ports: "1-1023" } }
`,
    { env: { ALICE_PASSWORD: "wonder land" } },
  );
  await act({ program, url: `http://localhost:${web.addr.port}/` });
  equal(await program.stop(), 0);
}

const has = need("curl");

Deno.test({
  name: "right passwords, plain and hashed, open SOCKS5 and CONNECT; others and none do not",
  ignore: !has,
  fn: () =>
    withGate(async (world) => {
      for (const proxy of ["socks5h", "http"] as const) {
        for (const right of ["alice:wonder land", "bob:o'r ange: secret"]) {
          const { code, stdout, stderr } = await curl(world, proxy, right);
          equal([code, stdout], [0, "hello"], stderr);
        }
        for (const wrong of ["alice:wonderland", "bob:x", "carol:wonder land"]) {
          const { code, stdout, stderr } = await curl(world, proxy, wrong);
          equal([code, stdout], [proxy === "http" ? CURLE_RECV_ERROR : CURLE_PROXY, ""], stderr);
          if (proxy === "http") ok(/^< HTTP\/1\.1 407 /m.test(stderr), stderr);
        }
      }
      const none = await curl(world, "http");
      ok(/^< Proxy-Authenticate: Basic realm="ugate"/mi.test(none.stderr), none.stderr);
      equal((await curl(world, "socks5h")).code, CURLE_PROXY);
      const records = await world.program.child.until(() => {
        const { records } = world.program;
        return records.length === 12 ? records : undefined;
      });
      equal(records.map(({ user, outcome }) => `${user ?? ""} ${outcome}`).sort(), [
        ...Array(8).fill(" unauthenticated"),
        ...["alice ok", "alice ok", "bob ok", "bob ok"],
      ]);
      ok(!/wonder|ange/.test(world.program.child.stderr), "a password is in the journal");
    }),
});

Deno.test({
  name: "policy knows the user, and SOCKS4 and TLS by name, which cannot log in, are refused",
  ignore: !has,
  fn: () =>
    withGate(async (world) => {
      const denied = await curl({ ...world, url: "http://localhost:80/" }, "socks5h", "bob:o'r ange: secret");
      ok(denied.stderr.includes("(2)"), denied.stderr);
      const { port } = { port: world.program.port("proxy") };
      for (const proxy of ["socks4", "socks4a"]) {
        const { code, stderr } = await run("curl", [
          "-sS",
          "-4",
          "-x",
          `${proxy}://127.0.0.1:${port}`,
          world.url,
        ]);
        equal(code, CURLE_PROXY, stderr);
      }
      const at = ["--connect-to", `::127.0.0.1:${port}`, "https://localhost/"];
      equal((await run("curl", ["-sSk", ...at])).code, 35);
    }),
});

Deno.test({
  name: "a source that guesses has to wait, even with the right password; another source does not",
  ignore: !has,
  fn: () =>
    withGate(async (world) => {
      for (let i = 0; i < MOST_FAILURES; i++) {
        equal((await curl(world, "socks5h", `alice:guess ${i}`)).code, CURLE_PROXY);
      }
      equal((await curl(world, "socks5h", "alice:wonder land")).code, CURLE_PROXY);
      ok(/ 429 /.test((await curl(world, "http", "alice:wonder land")).stderr));
      const other = await curl(world, "socks5h", "alice:wonder land", ["--interface", "127.0.0.2"]);
      equal([other.code, other.stdout], [0, "hello"], other.stderr);
    }),
});
