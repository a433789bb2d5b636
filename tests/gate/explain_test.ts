import fc from "fast-check";
import type { Target } from "../../gate/address.ts";
import type { Destination, Protocol, Protocols } from "../../gate/contracts.ts";
import { explainCommand } from "../../gate/explain.ts";
import type { ExplainArgs } from "../../gate/explain_client.ts";
import { GateError } from "../../gate/errors.ts";
import type { ListenerRules } from "../../gate/snapshot.ts";
import { equal, ok } from "../support/assert.ts";
import { snapshotOf } from "../support/rules.ts";

type Given = Parameters<typeof snapshotOf>[0];

/** `P` and one letter of the host: the client names its target; a wrong length is asked for as such. */
const proxy: Protocol = {
  naming: "target",
  sniff: (head) => head[0] !== 0x50 ? false : head.length > 1 || 2,
  async serve(conn, gate) {
    const { host } = await conn.stream.next((bytes) => {
      return bytes.length < 2 ? 2 : { used: 2, host: String.fromCharCode(bytes[1]) };
    });
    if (conn.asksUser) await gate.login(conn, "bob", "secret");
    const rest = new Uint8Array(8);
    while (await conn.stream.read(rest) !== null);
    gate.relay(conn, await gate.connect({ host, port: 80 }, conn));
  },
};
const hello: Protocol = {
  naming: "serverName",
  sniff: (head) => head[0] === 0x16,
  async serve(conn, gate) {
    const name = await conn.stream.look((head, phase) =>
      head.length < 2 && phase === "open" ? 2 : head.length < 2 ? false : String.fromCharCode(head[1])
    );
    if (name === false) throw new GateError("malformed", "client", "Cannot read the hello: too short");
    conn.peer = { ...conn.peer, serverName: name };
    await gate.connect({ host: name, port: 443 }, conn);
  },
};
const plain: Protocol = {
  naming: "nothing",
  serve: async (conn, gate) => void await gate.connect(undefined, conn),
};
const protocols: Protocols = { proxy, hello, plain };
/** What only a trusted source may begin with. */
const preface: Protocol = { naming: "nothing", sniff: (head) => head[0] === 0x0d };

function listener(name: string, given: Partial<ListenerRules> = {}): ListenerRules {
  const rules = {
    number: 0,
    addresses: [":443"],
    protocols: ["proxy", "hello"],
    sniffTimeout: 1,
    asksUser: false,
    proxyProtocol: [],
  };
  return { name, ...rules, ...given };
}

const listeners = {
  edge: listener("edge"),
  local: listener("local", {
    addresses: ["127.0.0.1:1080"],
    asksUser: true,
    fallback: { host: "127.0.0.1", port: 9 },
  }),
  forward: listener("forward", { protocols: ["plain"] }),
};

/** The network: the name `a` is known, `b` is broken. */
function resolve(target: Target): Promise<Destination | undefined> {
  if (target.host === "b") {
    return Promise.reject(new GateError("timeout", "gate", "Cannot resolve b: no answer"));
  }
  const known: Record<string, string> = { a: "192.0.2.1", m: "169.254.169.254" };
  const host = known[target.host] ?? (/\d/.test(target.host) ? target.host : undefined);
  const endpoints = [{ address: { host: host ?? "", port: target.port }, layers: [] }];
  return Promise.resolve(host === undefined ? undefined : { target, endpoints, source: "test", lifetime: 1 });
}

const run = (args: ExplainArgs, given: Given = {}) =>
  explainCommand(snapshotOf({ listeners, ...given }), args, {
    protocols,
    preface,
    serverNameTarget: (host) =>
      host === "outbound_.80_._.x.test" ? { host: "x.test", port: 80 } : { host, port: 443 },
    resolve,
    isOwnIp: () => false,
  });

async function says(args: ExplainArgs, given: Given, exit: number, ...lines: RegExp[]): Promise<void> {
  const explained = await run(args, given);
  equal(explained.exit, exit, explained.text);
  for (const line of lines) ok(line.test(explained.text), `${line} in:\n${explained.text}`);
  JSON.stringify(explained.json);
}

Deno.test("explain tells what a route answers itself, and that counts as an answer", async () => {
  const web: Protocol = { naming: "host", sniff: () => true };
  const redirect = { status: 308, scheme: "https", port: 8443 } as const,
    fine = { status: 200, headers: {}, body: "" };
  const routes = [
    { host: "a", http: { respond: { status: 404, headers: {}, body: "" } } },
    { host: "b", http: { redirect } },
    {
      host: "d",
      http: { respond: fine, rateLimit: { requests: 5, per: 10_000 }, auth: { certificate: true as const } },
    },
  ];
  const explained = (target: string) =>
    explainCommand(snapshotOf({ listeners: { web: listener("web", { protocols: ["web"] }) }, routes }), {
      target,
    }, {
      ...{ protocols: { web }, preface, resolve, isOwnIp: () => false },
      serverNameTarget: (host) => ({ host, port: 443 }),
    });
  const [fixed, sent, other, guarded] = await Promise.all(["a:80", "b:80", "c:80", "d:80"].map(explained));
  const condition = / {4}on condition of at most 5 requests of one source in 10s, and a client certificate\n/;
  ok(condition.test(guarded.text) && !/on condition/.test(fixed.text), guarded.text);
  equal([fixed.exit, sent.exit, other.exit], [0, 0, 1]);
  ok(/^ {4}answered by the gate itself: 404$/m.test(fixed.text), fixed.text);
  ok(
    /^ {4}answered by the gate itself: 308, a redirect to scheme https, port 8443$/m.test(sent.text),
    sent.text,
  );
  ok(/refused \(no-route\)/.test(other.text), other.text);
});

Deno.test("explain TARGET tells every listener's rules and where it goes", async () => {
  const policy = [{ verdict: "deny" as const, hosts: ["x"] }, {
    addresses: ["192.0.2.0/24"],
    ports: [[80, 80] as const],
  }];
  await says(
    { target: "a:80" },
    { policy, routes: [{ protocol: "plain" }] },
    0,
    /^listener edge, from a source that is not given/m,
    /^ {4}route routes\[0\]: no, it does not name this protocol/m,
    /policy policy\[0\]: no, no host of it is this name/,
    /policy policy\[1\]: maybe, the addresses it resolves to decide/,
    /address 192\.0\.2\.1:80: yes, allow by policy\[1\]/,
    /goes to 192\.0\.2\.1:80/,
    /^listener local, for this machine only, from 127\.0\.0\.1/m,
    /refused \(unauthenticated\)/,
    /refused \(no-route\): .* no rule allows hello/,
  );
  await says(
    { target: "a:81", listener: "edge" },
    { policy },
    1,
    /policy policy\[1\]: no, no port of it is this one/,
    /refused \(denied\)/,
  );
  await says(
    { target: "x:80", listener: "local", user: "u" },
    { policy },
    1,
    /policy policy\[0\]: yes, deny/,
    /refused \(denied\)/,
  );
});

Deno.test("explain tells a route's endpoints, and names that cannot be resolved", async () => {
  const to = [{ target: { host: "10.0.0.1", port: 22 }, weight: 1, health: 0 }];
  await says(
    { target: "a:1", listener: "forward" },
    { routes: [{ listener: "forward", to }] },
    0,
    /routes\[0\]: yes, it matches/,
    /goes to 10\.0\.0\.1:22/,
  );
  const me = { listener: "local", user: "u" };
  await says({ target: "b:1", ...me }, {}, 1, /refused \(timeout\): Cannot resolve b/);
  await says({ target: "c:1", ...me }, {}, 1, /refused \(no-route\): .*nobody knows the name/);
  await says(
    { target: "m:1", ...me },
    {},
    1,
    /address 169\.254\.169\.254:1: no, deny by the default for loopback/,
    /refused \(denied\)/,
  );
});

Deno.test("explain --from, --user and --sni are who the client is", async () => {
  const policy = [{ verdict: "deny" as const, sources: ["10.0.0.0/8"] }, { user: ["alice"], hosts: ["a"] }];
  const given = {
    policy,
    routes: [{
      host: "svc",
      sources: ["192.0.2.0/24"],
      to: [{ target: { host: "10.0.0.2", port: 1 }, weight: 1, health: 0 }],
    }],
  };
  await says(
    { target: "a:80", from: "0xa.1", listener: "edge" },
    given,
    1,
    /from 10\.0\.0\.1/,
    /closed before its first byte, by policy\[0\]/,
  );
  const here = { from: "203.0.113.1", listener: "edge" };
  await says({ target: "a:80", user: "alice", ...here }, given, 0, /goes to 192\.0\.2\.1:80/);
  await says({ target: "a:80", user: "bob", ...here }, given, 1, /its user is another/);
  await says(
    { sni: "svc", from: "192.0.2.9", listener: "edge" },
    given,
    0,
    /hello svc:443/,
    /goes to 10\.0\.0\.2:1/,
  );
  await says(
    { sni: "svc", from: "203.0.113.1", listener: "edge" },
    given,
    1,
    /not in the sources of routes\[0\]/,
  );
  await says({ sni: "svc", listener: "forward" }, given, 1, /speaks no protocol that could ask for this/);
});

Deno.test("explain --hex tells each protocol's verdict and what the bytes ask for", async () => {
  await says(
    { hex: "50 61", listener: "local" },
    {},
    0,
    /proxy: yes/,
    /hello: no/,
    /proxy a:80/,
    /goes to 192\.0\.2\.1:80/,
  );
  await says({ hex: "50:61:ffff", listener: "edge" }, { policy: [{}] }, 0, /goes to 192\.0\.2\.1:80/);
  await says(
    { hex: "1661", listener: "edge" },
    { routes: [{ host: "a", to: [{ target: { host: "10.0.0.2", port: 1 }, weight: 1, health: 0 }] }] },
    0,
    /hello a:443/,
  );
  await says({ hex: "16", listener: "edge" }, {}, 1, /hello: Cannot read the hello: too short/);
  await says({ hex: "50", listener: "edge" }, {}, 1, /proxy: maybe, 2 bytes are needed/, /partial: closed/);
  await says({ hex: "50", listener: "local" }, {}, 0, /partial: to the fallback 127\.0\.0\.1:9/);
  await says({ hex: "00", listener: "edge" }, {}, 1, /unknown: closed/);
  await says({ sni: "outbound_.80_._.x.test", listener: "local" }, {}, 1, /x\.test:80/);
  await says({ hex: "0d", listener: "local" }, {}, 1, /preface: closed/);
  await says(
    { hex: "00", listener: "forward" },
    {
      routes: [{
        listener: "forward",
        to: [{ target: { host: "10.0.0.2", port: 1 }, weight: 1, health: 0 }],
      }],
    },
    0,
    /goes to 10\.0\.0\.2:1/,
  );
});

const TO = [{ target: { host: "10.0.0.2", port: 1 }, weight: 1, health: 0 }];

Deno.test("without --from, explain shows how each kind of source fares, and fails where not all would stand", async () => {
  const byRoute = { routes: [{ host: "svc", sources: ["198.51.100.0/24"], to: TO }] };
  await says(
    { sni: "svc", listener: "edge" },
    byRoute,
    1,
    /^listener edge depends on the source: give --from\n/,
    /^listener edge, from a source in no network of these rules\n[^]*refused \(denied\)[^]*without an address/m,
    /^listener edge, from 198\.51\.100\.0, for example\n[^]*goes to 10\.0\.0\.2:1/m,
  );
  await says({ sni: "svc", listener: "edge", from: "198.51.100.9" }, byRoute, 0, /goes to 10\.0\.0\.2:1/);
  const barred = {
    policy: [{ verdict: "deny" as const, sources: ["10.0.0.0/8"] }],
    routes: [{ listener: "forward", to: TO }],
  };
  await says(
    { target: "a:80", listener: "forward" },
    barred,
    1,
    /depends on the source/,
    /from 10\.0\.0\.0, for example\n {2}closed before its first byte/,
  );
  await says({ hex: "00", listener: "forward" }, barred, 1, /depends on the source/);
  // The one address that is let through is the last of a network that is not.
  const nested = {
    policy: [{ sources: ["10.0.0.255/32"] }, { verdict: "deny" as const, sources: ["10.0.0.0/24"] }],
  };
  await says({ target: "a:80", listener: "edge" }, nested, 1, /from 10\.0\.0\.255, for example\n[^]*goes to/);
  const elsewhere = {
    routes: [{ listener: "edge2", sources: ["10.0.0.0/8"], to: TO }, { listener: "forward", to: TO }],
    policy: [{ listener: ["local"], sources: ["10.0.0.0/8"] }],
  };
  const other = await run({ target: "a:80", listener: "forward" }, elsewhere);
  equal([other.exit, /depends/.test(other.text)], [0, false], other.text);
});

Deno.test("what is the same for every source does not depend on it", async () => {
  const given = {
    policy: [{ sources: ["10.0.0.0/8"], hosts: ["z"] }],
    routes: [{ host: "svc", to: TO }],
  };
  const { text, exit } = await run({ sni: "svc", listener: "edge" }, given);
  equal([exit, text.match(/^listener/gm)?.length], [0, 1], text);
});

Deno.test("without --user, explain shows how users fare whom rules name, on a listener that asks for them", async () => {
  const given = { policy: [{ user: ["alice"], hosts: ["a"] }, { verdict: "deny" as const, hosts: ["*"] }] };
  await says(
    { target: "a:80", listener: "local" },
    given,
    1,
    /^listener local depends on the user: give --user\n/,
    /from 127\.0\.0\.1, not logged in\n[^]*refused \(unauthenticated\)/,
    /from 127\.0\.0\.1, user another that no rule names\n[^]*refused \(denied\)/,
    /from 127\.0\.0\.1, user alice\n[^]*goes to 192\.0\.2\.1:80/,
  );
  await says({ target: "a:80", listener: "local", user: "alice" }, given, 0, /goes to 192\.0\.2\.1:80/);
  const both = { policy: [{ user: ["alice"], sources: ["10.0.0.0/8"], hosts: ["a"] }] };
  const asking = { listeners: { edge: listener("edge", { asksUser: true }) } };
  await says(
    { target: "a:80" },
    { ...both, ...asking },
    1,
    /depends on the source and the user: give --from and --user/,
  );
  const bytes = await run({ hex: "50 61", listener: "local" }, given);
  equal(/depends/.test(bytes.text), false, bytes.text); // who it is, its bytes say
});

Deno.test("explain --identity is who the client has proven to be; without it, it shows how each one fares", async () => {
  const id = "GJU4ACOW36Q3IBL45T2TRQ63M6FNQYEJMLPJNDJETIOVIEFD7MGQ",
    here = { target: "a:80", listener: "edge" };
  const given = {
    policy: [{ identity: [`key:${id}`], hosts: ["a"] }, { identity: ["role:x"], hosts: ["b"] }],
  };
  await says(
    here,
    given,
    1,
    /^listener edge depends on who it has proven to be: give --identity\n/,
    /nothing proven\n[^]*nobody it names was proven\n[^]*refused \(denied\)/,
    new RegExp(`proven to be key:${id}\n[^]*goes to 192\\.0\\.2\\.1:80`),
  );
  await says({ ...here, identity: [`key:${id.toLowerCase()}`] }, given, 0, /goes to 192\.0\.2\.1:80/);
  await says({ ...here, identity: ["role:x", `key:${id}`] }, given, 0, /proven to be role:x/);
  await says({ ...here, identity: ["role:y"] }, given, 1, /refused \(denied\)/);
  await says({ ...here, identity: ["alice"] }, given, 2, /Cannot read --identity: expected key:ID/);
});

Deno.test("of more networks and users than it looks at, explain says that they may decide", async () => {
  const sources = Array.from({ length: 40 }, (_, i) => `10.0.${i}.0/24`);
  const user = Array.from({ length: 10 }, (_, i) => `user${i}`);
  const given = {
    listeners: { edge: listener("edge", { asksUser: true }) },
    policy: [{ sources, user, hosts: ["a"] }],
  };
  const { text, json } = await run({ target: "a:80" }, given);
  ok(/give --from and --user/.test(text), text);
  ok(Array.isArray(json) && json.length < 10, text); // one of each kind, however many networks there are
});

Deno.test("a name is resolved once, however many kinds of clients ask for it", async () => {
  const asked: string[] = [];
  const policy = [{ sources: ["10.0.0.0/8", "192.168.0.0/16"], addresses: ["192.0.2.0/24"] }];
  await explainCommand(snapshotOf({ listeners, policy }), { target: "a:80", listener: "edge" }, {
    protocols,
    preface,
    serverNameTarget: (host) => ({ host, port: 443 }),
    resolve: (target) => (asked.push(target.host), resolve(target)),
    isOwnIp: () => false,
  });
  equal(asked, ["a"]);
});

Deno.test("explain tells wrong usage apart", async () => {
  const wrong: ExplainArgs[] = [
    {},
    { target: "a:1", hex: "00" },
    { target: "a" },
    { hex: "0" },
    { hex: "" },
    { hex: "zz" },
  ];
  for (const args of [...wrong, { target: "a:1", from: "me" }, { target: "a:1", listener: "none" }]) {
    await says(args, {}, 2, /^Cannot /);
  }
});

Deno.test("no bytes make explain throw", async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 6 }), async (bytes) => {
    const explained = await run({
      hex: Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""),
    });
    ok(explained.text.length > 0);
  }));
});
