import type { Destination } from "../../../gate/contracts.ts";
import { candidates, Dns, type DnsSettings } from "../../../routes/dns/resolver.ts";
import { conformResolver } from "../../conformance/resolver.ts";
import { equal, fails, ok } from "../../support/assert.ts";
import { DnsServer, type Reply, type Script, zone, type ZoneRecord } from "../../support/dns_server.ts";

const NEVER = new AbortController().signal;
const NO_FILE = "/dev/null";
const SERVFAIL = 2;
const REFUSED = 5;

const A = (name: string, data: string, ttl = 60): ZoneRecord => ({ name, type: "A", data, ttl });
const AAAA = (name: string, data: string, ttl = 60): ZoneRecord => ({ name, type: "AAAA", data, ttl });
const CNAME = (name: string, data: string, ttl = 60): ZoneRecord => ({ name, type: "CNAME", data, ttl });
const SRV = (name: string, priority: number, weight: number, port: number, target: string): ZoneRecord => ({
  name,
  type: "SRV",
  data: { priority, weight, port, target },
});

function dnsOf(servers: readonly DnsServer[], settings: DnsSettings = {}): Dns {
  const own = servers.map(({ target }) => target);
  return new Dns({ servers: own, search: [], resolvConf: NO_FILE, hostsFile: NO_FILE, ...settings });
}

function find(dns: Dns, host: string, port = 443): Promise<Destination | undefined> {
  return dns.resolve({ host, port }, NEVER);
}

async function places(dns: Dns, host: string): Promise<string[] | undefined> {
  return (await find(dns, host))?.endpoints.map(({ address }) => address.host);
}

conformResolver("dns", async () => {
  const server = await DnsServer.start(zone([A("a.test", "10.0.0.1"), CNAME("b.test", "b.test")]));
  const dir = await Deno.makeTempDir();
  const hostsFile = `${dir}/hosts`;
  const dns = dnsOf([server], { hostsFile });
  return {
    resolver: dns,
    known: { host: "a.test", port: 80 },
    unknown: { host: "nobody.test", port: 80 },
    broken: { host: "b.test", port: 80 },
    async change() {
      await Deno.writeTextFile(hostsFile, "10.0.0.9 a.test");
      await dns.refresh();
    },
    async [Symbol.asyncDispose]() {
      dns[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
      await Deno.remove(dir, { recursive: true });
    },
  };
}, ["broken", "change"]);

Deno.test("both families are asked and IPv6 comes first, each in the server's order", async () => {
  const records = [A("a.test", "10.0.0.2"), A("a.test", "10.0.0.1"), AAAA("a.test", "fd00::1", 5)];
  await using server = await DnsServer.start(zone(records));
  using dns = dnsOf([server]);
  const found = await find(dns, "a.test", 8443);
  ok(found && found.lifetime > 4900 && found.lifetime <= 5000, `${found?.lifetime}`);
  equal({ ...found, lifetime: 0 }, {
    target: { host: "a.test", port: 8443 },
    endpoints: ["fd00::1", "10.0.0.2", "10.0.0.1"].map((host) => ({
      address: { host, port: 8443 },
      layers: [],
    })),
    source: "dns",
    lifetime: 0,
  });
  equal([server.count("a.test", "A"), server.count("a.test", "AAAA")], [1, 1]);
});

Deno.test("aliases are followed within an answer and beyond it; the least TTL of all holds", async () => {
  const chain = zone([
    CNAME("beyond.test", "y.test", 50),
    CNAME("y.test", "x.test", 9),
    A("x.test", "10.0.0.1", 60),
  ]);
  await using server = await DnsServer.start((asked) =>
    asked.name === "in.test"
      ? { answers: [CNAME("in.test", "x.test", 7), A("x.test", "10.0.0.5", 20)] }
      : chain(asked)
  );
  using dns = dnsOf([server]);
  const one = await find(dns, "in.test");
  equal(one?.endpoints[0].address.host, "10.0.0.5");
  ok(one && one.lifetime <= 7000 && one.lifetime > 6000);
  equal(one.completed, undefined);
  const far = await find(dns, "beyond.test");
  equal(far?.endpoints[0].address.host, "10.0.0.1");
  ok(far && far.lifetime <= 9000 && far.lifetime > 8000);
});

Deno.test("aliases in a circle, too many and to nowhere are errors", async () => {
  const many = Array.from({ length: 40 }, (_, i) => CNAME(`n${i}.test`, `n${i + 1}.test`));
  const records = [CNAME("a.test", "b.test"), CNAME("b.test", "a.test"), ...many, CNAME("root.test", ".")];
  await using server = await DnsServer.start(zone(records));
  using dns = dnsOf([server]);
  for (const host of ["a.test", "n0.test", "root.test"]) await fails(find(dns, host), "unreachable");
  ok(server.asked.length < 100, `${server.asked.length} questions`);
  await using oneAnswer = await DnsServer.start(() => ({
    answers: [CNAME("a.test", "b.test"), CNAME("b.test", "a.test")],
  }));
  using other = dnsOf([oneAnswer]);
  await fails(find(other, "a.test"), "unreachable");
});

Deno.test("TTLs are kept between a second and an hour", async () => {
  await using server = await DnsServer.start(
    zone([A("short.test", "10.0.0.1", 0), A("long.test", "10.0.0.1", 1e9)]),
  );
  using dns = dnsOf([server]);
  ok((await find(dns, "short.test"))!.lifetime > 900);
  equal((await find(dns, "long.test"))?.lifetime, 3600_000);
});

Deno.test("NXDOMAIN and a name without addresses are undefined, and remembered as the SOA says", async () => {
  await using server = await DnsServer.start(
    zone([{ name: "text.test", type: "TXT", data: "x" }], { ttl: 60, minimum: 60 }),
  );
  using dns = dnsOf([server]);
  for (let round = 0; round < 3; round++) {
    equal(await find(dns, "none.test"), undefined);
    equal(await find(dns, "text.test"), undefined);
  }
  equal(server.count("none.test", "A"), 1);
  equal(server.count("text.test", "A"), 1);
});

Deno.test("an alias whose end has no address is a no, and the end is not asked for again", async () => {
  const soa = { name: "test", type: "SOA", data: { mname: "a", rname: "b", minimum: 5 } };
  await using server = await DnsServer.start(() => ({
    answers: [CNAME("a.test", "b.test")],
    authorities: [soa],
  }));
  using dns = dnsOf([server]);
  equal(await find(dns, "a.test"), undefined);
  equal(server.count("b.test"), 0);
});

Deno.test("SERVFAIL and REFUSED are errors and never a no", async () => {
  for (const rcode of [SERVFAIL, REFUSED]) {
    await using server = await DnsServer.start(() => ({ rcode }));
    using dns = dnsOf([server]);
    await fails(find(dns, "a.test"), "unreachable");
  }
});

Deno.test("a silent server is a timeout within the budget", async () => {
  await using server = await DnsServer.start(() => undefined);
  using dns = dnsOf([server], { budget: 200 });
  const start = performance.now();
  await fails(find(dns, "a.test"), "timeout");
  const spent = performance.now() - start;
  ok(spent > 150 && spent < 3000, `${spent} ms`);
  equal(server.count("a.test", "A"), 2);
});

Deno.test("the next server is asked when one fails, refuses or is silent, and a silent one comes last then", async () => {
  await using silent = await DnsServer.start(() => undefined);
  await using failing = await DnsServer.start(() => ({ rcode: SERVFAIL }));
  await using good = await DnsServer.start(zone([A("a.test", "10.0.0.1"), A("b.test", "10.0.0.2")]));
  using dns = dnsOf([silent, failing, good], { budget: 1200 });
  equal(await places(dns, "a.test"), ["10.0.0.1"]);
  equal(await places(dns, "b.test"), ["10.0.0.2"]);
  equal([silent.count("a.test", "A"), silent.count("b.test", "A")], [1, 0]);
});

Deno.test("`rotate` begins with another server each time", async () => {
  const records = zone(["a", "b", "c", "d"].map((name) => A(`${name}.test`, "10.0.0.1")));
  await using first = await DnsServer.start(records);
  await using second = await DnsServer.start(records);
  const dir = await Deno.makeTempDir();
  await Deno.writeTextFile(`${dir}/resolv.conf`, "options rotate");
  using dns = dnsOf([first, second], { resolvConf: `${dir}/resolv.conf` });
  for (const name of ["a", "b", "c", "d"]) await places(dns, `${name}.test`);
  equal([first.asked.length, second.asked.length], [4, 4]);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("a server that does not know EDNS is asked without", async () => {
  await using server = await DnsServer.start((asked) =>
    asked.edns ? { rcode: 1 } : zone([A("a.test", "10.0.0.1")])(asked)
  );
  using dns = dnsOf([server]);
  equal(await places(dns, "a.test"), ["10.0.0.1"]);
});

Deno.test("one family's failure or silence does not hide the other's addresses", async () => {
  for (const reply of [undefined, { rcode: SERVFAIL }, { rcode: 3 }] as (Reply | undefined)[]) {
    for (const lost of ["A", "AAAA"]) {
      const honest = zone([A("a.test", "10.0.0.1"), AAAA("a.test", "fd00::1")]);
      await using server = await DnsServer.start((asked) => asked.type === lost ? reply : honest(asked));
      using dns = dnsOf([server], { budget: 2000 });
      const found = await find(dns, "a.test");
      equal(found?.endpoints.map(({ address }) => address.host), [lost === "A" ? "fd00::1" : "10.0.0.1"]);
    }
  }
});

Deno.test("no address of one family and silence of the other is a timeout and not a no", async () => {
  await using server = await DnsServer.start((asked) => asked.type === "A" ? undefined : {});
  using dns = dnsOf([server], { budget: 200 });
  await fails(find(dns, "a.test"), "timeout");
});

Deno.test("a truncated answer is asked for again over TCP", async () => {
  const all = Array.from({ length: 100 }, (_, i) => A("a.test", `10.0.0.${i}`));
  const whole = zone(all);
  await using server = await DnsServer.start((asked) =>
    asked.transport === "udp" ? { truncated: true, answers: all.slice(0, 1) } : whole(asked)
  );
  using dns = dnsOf([server]);
  equal((await places(dns, "a.test"))?.length, 32);
  equal(server.asked.filter(({ transport }) => transport === "tcp").length, 2);
});

Deno.test("SRV gives ports and weights: the best priority that has addresses", async () => {
  await using server = await DnsServer.start(zone([
    SRV("_x._tcp.a.test", 10, 0, 9001, "dead.test"),
    SRV("_x._tcp.a.test", 20, 60, 9002, "b.test"),
    SRV("_x._tcp.a.test", 20, 0, 9003, "c.test"),
    SRV("_x._tcp.a.test", 30, 1, 9004, "d.test"),
    A("b.test", "10.0.0.2"),
    AAAA("b.test", "fd00::2"),
    A("c.test", "10.0.0.3"),
    A("d.test", "10.0.0.4"),
  ]));
  using dns = dnsOf([server]);
  equal((await find(dns, "_x._tcp.a.test"))?.endpoints, [
    { address: { host: "fd00::2", port: 9002 }, layers: [], weight: 30 },
    { address: { host: "10.0.0.2", port: 9002 }, layers: [], weight: 30 },
    { address: { host: "10.0.0.3", port: 9003 }, layers: [], weight: 1 },
  ]);
  equal(server.count("_x._tcp.a.test", "A"), 0);
});

Deno.test("SRV that says the service is nowhere, or whose servers have no address, is an error", async () => {
  await using server = await DnsServer.start(zone([
    SRV("_x._tcp.a.test", 0, 0, 0, "."),
    SRV("_y._tcp.a.test", 0, 0, 80, "dead.test"),
  ]));
  using dns = dnsOf([server]);
  await fails(find(dns, "_x._tcp.a.test"), "unreachable");
  await fails(find(dns, "_y._tcp.a.test"), "unreachable");
  equal(await find(dns, "_z._tcp.a.test"), undefined);
});

Deno.test("search domains complete a name, by its dots before or after it is tried itself", async () => {
  equal(candidates("a", { search: ["x.test", "y.test"], ndots: 1 }), ["a.x.test", "a.y.test", "a"]);
  equal(candidates("a.b", { search: ["x.test"], ndots: 1 }), ["a.b", "a.b.x.test"]);
  equal(candidates("a.b", { search: ["x.test"], ndots: 5 }), ["a.b.x.test", "a.b"]);
  equal(
    candidates("a".repeat(60) + ".b", { search: [Array(4).fill("x".repeat(50)).join(".")], ndots: 1 }).length,
    1,
  );
  await using server = await DnsServer.start(
    zone([A("db.y.test", "10.0.0.1"), A("db.y.test.z.test", "10.6.6.6")]),
  );
  using dns = dnsOf([server], { search: ["x.test", "y.test"] });
  const found = await find(dns, "db", 5432);
  equal([found?.target, found?.completed], [{ host: "db", port: 5432 }, "db.y.test"]);
  equal((await find(dns, "db.y.test"))?.completed, undefined);
});

Deno.test("a search domain that cannot be asked is an error: the next one may hold another machine", async () => {
  const honest = zone([A("db.y.test", "10.6.6.6")]);
  await using server = await DnsServer.start((asked) =>
    asked.name === "db.x.test" ? { rcode: SERVFAIL } : honest(asked)
  );
  using dns = dnsOf([server], { search: ["x.test", "y.test"] });
  await fails(find(dns, "db"), "unreachable");
});

Deno.test("localhost is this machine, and no server is asked for it, .invalid or .onion", async () => {
  await using server = await DnsServer.start(() => ({ answers: [] }));
  using dns = dnsOf([server]);
  for (const host of ["localhost", "LOCALHOST", "a.localhost"]) {
    equal(await places(dns, host), ["127.0.0.1", "::1"]);
  }
  for (const host of ["a.invalid", "onion", "a.onion", "10.0.0.1", "::1"]) {
    equal(await places(dns, host), undefined);
  }
  equal(server.asked, []);
});

Deno.test("/etc/hosts comes before the servers, its aliases too", async () => {
  const dir = await Deno.makeTempDir();
  await Deno.writeTextFile(`${dir}/hosts`, "10.1.1.1 a.test short\nfd00::9 a.test");
  await using server = await DnsServer.start(zone([A("a.test", "10.6.6.6")]));
  using dns = dnsOf([server], { hostsFile: `${dir}/hosts` });
  equal(await places(dns, "a.test"), ["10.1.1.1", "fd00::9"]);
  equal(await places(dns, "short"), ["10.1.1.1"]);
  equal(server.asked, []);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("files that change are read again, and what they said is forgotten", async () => {
  const dir = await Deno.makeTempDir();
  const [hostsFile, resolvConf] = [`${dir}/hosts`, `${dir}/resolv.conf`];
  await using server = await DnsServer.start(
    zone([A("a.test", "10.0.0.1"), A("b.x.test", "10.0.0.2")], { ttl: 60, minimum: 60 }),
  );
  using dns = new Dns({ servers: [server.target], hostsFile, resolvConf });
  const heard: (readonly string[])[] = [];
  dns.onChange((names) => heard.push(names));
  equal(await places(dns, "a.test"), ["10.0.0.1"]);
  equal(await places(dns, "b"), undefined);
  await dns.refresh();
  equal(heard, []);
  await Deno.writeTextFile(hostsFile, "10.0.0.9 a.test");
  await dns.refresh();
  equal([await places(dns, "a.test"), heard], [["10.0.0.9"], [["*"]]]);
  await Deno.writeTextFile(`${dir}/next`, "search x.test");
  await Deno.rename(`${dir}/next`, resolvConf);
  await dns.refresh();
  equal(await places(dns, "b"), ["10.0.0.2"]);
  await Deno.remove(hostsFile);
  await dns.refresh();
  equal(await places(dns, "a.test"), ["10.0.0.1"]);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("a changed file is noticed although nobody asks", async () => {
  const dir = await Deno.makeTempDir();
  const hostsFile = `${dir}/hosts`;
  {
    await Deno.writeTextFile(hostsFile, "10.0.0.1 a.test");
    using dns = dnsOf([], { hostsFile, poll: 5 });
    equal(await places(dns, "a.test"), ["10.0.0.1"]);
    const changed = new Promise((resolve) => dns.onChange(resolve));
    await Deno.writeTextFile(hostsFile, "10.0.0.22 a.test");
    await changed;
    equal(await places(dns, "a.test"), ["10.0.0.22"]);
    await dns.refresh(); // ends a look that is under way
  }
  await Deno.remove(dir, { recursive: true });
});

Deno.test("a file that is no file is an error, and is looked at again", async () => {
  const dir = await Deno.makeTempDir();
  await Deno.mkdir(`${dir}/hosts`);
  await using server = await DnsServer.start(zone([A("a.test", "10.0.0.1")]));
  using dns = dnsOf([server], { hostsFile: `${dir}/hosts` });
  await fails(find(dns, "a.test"), "internal");
  await Deno.remove(`${dir}/hosts`);
  equal(await places(dns, "a.test"), ["10.0.0.1"]);
  await Deno.remove(dir);
});

Deno.test("thousands who ask for one name at once ask the server once per family", async () => {
  const gate = Promise.withResolvers<void>();
  const honest = zone([A("a.test", "10.0.0.1")], { ttl: 60, minimum: 60 });
  const script: Script = (asked) => ({ ...honest(asked) as Reply, after: gate.promise });
  await using server = await DnsServer.start(script);
  using dns = dnsOf([server]);
  const all = Array.from(
    { length: 5000 },
    (_, i) => dns.resolve({ host: "a.test", port: 1 + i }, new AbortController().signal),
  );
  gate.resolve();
  for (const found of await Promise.all(all)) equal(found?.endpoints[0].address.host, "10.0.0.1");
  equal([server.count("a.test", "A"), server.count("a.test", "AAAA")], [1, 1]);
});

Deno.test("hundreds of names at once are all found, too many are refused", async () => {
  await using server = await DnsServer.start((asked) => ({
    answers: asked.type === "A" ? [A(asked.name, "10.0.0.1")] : [],
  }));
  using dns = dnsOf([server]);
  const some = await Promise.all(Array.from({ length: 300 }, (_, i) => places(dns, `n${i}.test`)));
  for (const found of some) equal(found, ["10.0.0.1"]);
  await using silent = await DnsServer.start(() => undefined);
  using deaf = dnsOf([silent], { budget: 300 });
  const many = Array.from({ length: 600 }, (_, i) => find(deaf, `n${i}.test`));
  const failures = await Promise.all(many.map((found) => found.then(() => "none", ({ failure }) => failure)));
  const refused = failures.filter((failure) => failure === "exhausted").length;
  equal([refused, failures.length - refused], [88, 512]);
});

Deno.test("who gives up ends the question, and its sockets, at once", async () => {
  await using server = await DnsServer.start(() => undefined);
  using dns = dnsOf([server]);
  const hasty = new AbortController();
  const asked = dns.resolve({ host: "a.test", port: 1 }, hasty.signal);
  while (server.asked.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  hasty.abort();
  await fails(asked, "closed");
});

Deno.test("who gives up at any moment leaves nothing behind", async () => {
  await using server = await DnsServer.start((asked) =>
    asked.transport === "udp" ? { truncated: true } : undefined
  );
  using dns = dnsOf([server]);
  for (let turns = 0; turns < 60; turns++) {
    const hasty = new AbortController();
    const asked = dns.resolve({ host: `a${turns}.test`, port: 1 }, hasty.signal).catch(({ failure }) =>
      failure
    );
    for (let turn = 0; turn < turns; turn++) {
      await new Promise<void>((next) => turn % 3 === 2 ? setImmediate(next) : queueMicrotask(next));
    }
    hasty.abort();
    equal(await asked, "closed");
  }
});

Deno.test("a server with an IPv6 address is asked as any other", async () => {
  await using server = await DnsServer.start(
    (asked) => asked.transport === "udp" ? { truncated: true } : zone([AAAA("a.test", "fd00::1")])(asked),
    "::1",
  );
  using dns = dnsOf([server]);
  equal(await places(dns, "a.test"), ["fd00::1"]);
});
