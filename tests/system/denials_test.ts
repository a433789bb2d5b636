/** What no client may reach, in every spelling, on a machine that owns those addresses and serves them. */
import { equal } from "../support/assert.ts";
import { type Ask, canIsolate, inNamespace, type Told } from "../support/namespace.ts";

const OUTSIDE = "10.9.8.7:1080", EXACT = "10.9.8.7:1082", NO_ALLOW = "10.9.8.7:1083";
const LOOPBACK = "127.0.0.1:1080", EVERYWHERE = "10.9.8.7:1081";
const METADATA = "169.254.169.254", PEER = "10.9.8.8";

const MACHINE = {
  addresses: [
    ...["10.9.8.7/24", "10.9.8.8/24", "169.254.169.254/32", "100.100.100.200/32", "168.63.129.16/32"],
    ...["fd00:ec2::254/128", "fe80::99/64", "64:ff9b::a9fe:a9fe/128", "fd00::8/64"],
  ],
  ports: [80, 81, 443],
  hostsFile: `127.0.0.1 localhost\n${METADATA} metadata.google.internal\n${PEER} friend.test\n`,
  zone: [
    { name: "meta.test", type: "A", data: METADATA },
    { name: "meta6.test", type: "AAAA", data: "fd00:ec2::254" },
    { name: "nat64.test", type: "AAAA", data: "64:ff9b::a9fe:a9fe" },
    { name: "mapped.test", type: "AAAA", data: "::ffff:169.254.169.254" },
    { name: "link.test", type: "AAAA", data: "fe80::99" },
    { name: "loop.test", type: "A", data: "127.0.0.1" },
    { name: "zero.test", type: "A", data: "0.0.0.0" },
    { name: "alias.test", type: "CNAME", data: "meta.test" },
    { name: "alias.test", type: "A", data: METADATA },
    { name: "both.test", type: "A", data: METADATA },
    { name: "both.test", type: "A", data: PEER },
    { name: "gate.test", type: "A", data: "10.9.8.7" },
    { name: "short.corp.test", type: "A", data: METADATA },
    { name: "secret.corp.test", type: "A", data: PEER },
    { name: "peer.test", type: "A", data: PEER },
  ],
  yaml: `
listeners:
  outside:    { address: "${OUTSIDE}", protocols: [socks, connect, tls] }
  exact:      { address: "${EXACT}", protocols: [socks, connect] }
  loopback:   { address: "${LOOPBACK}", protocols: [socks, connect, tls] }
  everywhere: { address: ":1081", protocols: [socks, connect] }
  narrow:     { address: "${NO_ALLOW}", protocols: [socks, connect] }
hosts:
  given.test: { addresses: ["127.0.0.1"] }
policy:
  - { deny:  { hosts: "secret.corp.test" } }
  - { allow: { listener: exact, addresses: "${METADATA}", ports: 80 } }
  - { allow: { listener: exact, addresses: "127.0.0.1", ports: 15000 } }
  - { allow: { listener: narrow, hosts: peer.test, ports: "80-80" } }
  - { allow: { listener: [outside, everywhere], hosts: "*" } }
  - { allow: { listener: [outside, everywhere], addresses: ["0.0.0.0/0", "::/0"] } }
dns: { servers: ["\${DNS}"], search: ["corp.test"] }
admin: { address: "127.0.0.1:15000" }
`,
};

/** Every way to write a host that a client-named target may come in; `ip` where it is the bytes themselves. */
const SPELLINGS: Record<string, readonly string[]> = {
  "metadata of the clouds": [
    ...[METADATA, `${METADATA}.`, "2852039166", "0xa9fea9fe", "0XA9.0xfe.0xA9.0xfe", "0251.0376.0251.0376"],
    ...["169.254.43518", "169.16689662", "169.0xfe.43518", "0xa9.0376.43518"],
    ...["::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "0:0:0:0:0:ffff:a9fe:a9fe", "::169.254.169.254"],
    ...["64:ff9b::169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "FD00:0EC2:0:0::254"],
    ...["fe80::99", "fe80::1", "100.100.100.200", "0x64.100.0144.200", "168.63.129.16", "2822734096"],
  ],
  "names that lead to metadata": [
    ...["meta.test", "META.test.", "meta6.test", "nat64.test", "mapped.test", "link.test", "alias.test"],
    ...["short", "short.corp.test", "metadata.google.internal"],
  ],
  "this machine": [
    ...[
      "127.0.0.1",
      "127.1",
      "127.255.255.254",
      "2130706433",
      "0x7f.1",
      "0177.0.0.1",
      "0.0.0.0",
      "0",
      "::",
      "::1",
    ],
    ...["::ffff:127.0.0.1", "64:ff9b::7f00:1", "::127.0.0.1", "localhost", "loop.test", "zero.test"],
  ],
};
const LOOPBACK_DENIED = ["metadata of the clouds", "names that lead to metadata"];
const DENIED: Record<Ask["by"], string> = {
  socks: "2",
  ip: "2",
  connect: "403",
  socks4a: "91",
  tls: "closed",
};
const GRANTED: Record<Ask["by"], string> = {
  socks: "0",
  ip: "0",
  connect: "200",
  socks4a: "90",
  tls: "hello",
};

interface Case extends Ask {
  readonly about: string;
  readonly told: Told;
}

const denied = (about: string, at: string, by: Ask["by"], host: string, port = 80): Case => {
  return { about, at, by, host, port, told: { code: DENIED[by], reached: [] } };
};
const granted = (
  about: string,
  at: string,
  by: Ask["by"],
  host: string,
  reached: string,
  port = 80,
): Case => {
  return { about, at, by, host, port, told: { code: GRANTED[by], reached: [reached] } };
};

const NAMING = ["socks", "connect", "socks4a"] as const;

function everySpelling(at: string, kinds: readonly string[]): Case[] {
  return kinds.flatMap((kind) =>
    SPELLINGS[kind].flatMap((host) => NAMING.map((by) => denied(`${kind}, from ${at}`, at, by, host)))
  );
}

const CASES: readonly Case[] = [
  ...everySpelling(OUTSIDE, Object.keys(SPELLINGS)),
  ...everySpelling(LOOPBACK, LOOPBACK_DENIED),
  ...["169.254.169.254", "100.100.100.200", "168.63.129.16", "0:0:0:0:0:ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe"]
    .concat("fd00:ec2::254", "fe80::99").flatMap((ip) =>
      [OUTSIDE, LOOPBACK].map((at) => denied("metadata as bytes", at, "ip", ip))
    ),
  ...["127.0.0.1", "0.0.0.0", "::1", "::", "0:0:0:0:0:ffff:7f00:1"].map((ip) =>
    denied("this machine as bytes", OUTSIDE, "ip", ip)
  ),
  ...NAMING.flatMap((by) => [
    granted("what is allowed is reached", OUTSIDE, by, PEER, `${PEER}:80`),
    granted("what is allowed is reached", OUTSIDE, by, "0xa.9.2056", `${PEER}:80`),
    granted("what is allowed is reached", OUTSIDE, by, "friend.test", `${PEER}:80`),
    granted("what is allowed is reached", OUTSIDE, by, "fd00::8", "fd00::8:80"),
    granted("a denied address is left out, the other one dialed", OUTSIDE, by, "both.test", `${PEER}:80`),
    granted("loopback listeners trust their machine", LOOPBACK, by, "localhost", "127.0.0.1:80"),
    granted("loopback listeners trust their machine", LOOPBACK, by, "10.9.8.7", "10.9.8.7:80"),
    denied("a name is judged as the search domain completed it", OUTSIDE, by, "secret"),
    denied("a name is judged as the search domain completed it", LOOPBACK, by, "secret"),
    granted("`hosts` gives an address of this machine", OUTSIDE, by, "given.test", "127.0.0.1:80"),
    denied("the gate's own port, by another name", OUTSIDE, by, "gate.test", 1080),
  ]),
  ...["10.9.8.7", "gate.test", "0xa.9.8.7", "::ffff:10.9.8.7"].flatMap((host) =>
    [OUTSIDE, LOOPBACK, EVERYWHERE].map((at) => denied("the gate's own listeners", at, "socks", host, 1080))
  ),
  ...["10.9.8.7", PEER, METADATA, "127.0.0.1", "127.5.5.5", "::1", "fd00::8", "0.0.0.0", "friend.test"]
    .flatMap(
      (host) =>
        [OUTSIDE, LOOPBACK].map((at) => denied("bound to all, own by each", at, "connect", host, 1081)),
    ),
  ...["127.0.0.1", "2130706433", "::ffff:127.0.0.1", "0.0.0.0", "loop.test"].flatMap((host) =>
    [OUTSIDE, LOOPBACK, EVERYWHERE].map((at) => denied("the admin page", at, "connect", host, 15000))
  ),
  ...[METADATA, "2852039166", "meta.test", "::ffff:a9fe:a9fe"].map((host) =>
    granted("an allow opens exactly what it says", EXACT, "socks", host, `${METADATA}:80`)
  ),
  denied("an allow opens exactly what it says", EXACT, "socks", METADATA, 81),
  denied("an allow opens exactly what it says", EXACT, "socks", "fd00:ec2::254"),
  denied("an allow opens exactly what it says", EXACT, "socks", "100.100.100.200"),
  denied("an allow opens exactly what it says", EXACT, "socks", PEER),
  denied("an allow opens exactly what it says", EXACT, "socks", "127.0.0.1"),
  denied("an allow opens exactly what it says", EXACT, "socks", "10.9.8.7", 1082),
  granted("an allow of a name and a port", NO_ALLOW, "socks", "peer.test", `${PEER}:80`),
  denied("an allow of a name and a port", NO_ALLOW, "socks", "peer.test", 81),
  denied("an allow of a name and a port", NO_ALLOW, "socks", PEER),
  denied("an allow of a name and a port", NO_ALLOW, "socks", "friend.test"),
  denied("TLS by a name that no route names", OUTSIDE, "tls", "peer.test", 443),
  granted("TLS by a name that no route names", LOOPBACK, "tls", "peer.test", `${PEER}:443`, 443),
  denied("TLS by a name that no route names", LOOPBACK, "tls", "meta.test", 443),
];

Deno.test({
  name:
    "on a machine with metadata, link-local and private addresses, clients reach exactly what policy says",
  ignore: !await canIsolate(),
  async fn(test) {
    const told = await inNamespace({ ...MACHINE, asks: CASES });
    equal(told.length, CASES.length);
    for (const about of new Set(CASES.map((one) => one.about))) {
      await test.step(about, () => {
        const shown = ({ at, by, host, port }: Case, { code, reached }: Told) =>
          `${at} ${by} ${host} ${port}: ${code} ${reached.join(", ")}`;
        const of = (tell: (one: Case, i: number) => Told) =>
          CASES.flatMap((one, i) => one.about === about ? [shown(one, tell(one, i))] : []);
        equal(of((_, i) => told[i]), of((one) => one.told));
      });
    }
  },
});
