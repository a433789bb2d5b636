/**
 * A machine of its own: a network namespace that owns the addresses a test is about, with servers that note who came.
 * Run as a program by `inNamespace`; nothing here sends a packet that could leave the loopback device.
 */
import { Buffer } from "node:buffer";
import net from "node:net";
import { find } from "../../scripts/clients.ts";
import { Folder, run, succeed } from "./child.ts";
import { clientHello } from "./client_hello.ts";
import { DnsServer, zone, type ZoneRecord } from "./dns_server.ts";
import { type Client, connect } from "./net.ts";
import { Program } from "./program.ts";

export interface Machine {
  readonly addresses: readonly string[];
  /** Ports on which every address is served. */
  readonly ports: readonly number[];
  readonly hostsFile: string;
  readonly zone: readonly ZoneRecord[];
  /** `${DNS}` in it is the address of the DNS server. */
  readonly yaml: string;
  readonly asks: readonly Ask[];
}

export interface Ask {
  /** Where the client connects: `10.0.0.1:1080`. */
  readonly at: string;
  /** "socks": a name in SOCKS5; "ip": four or sixteen bytes there; "tls": the name as SNI. */
  readonly by: "socks" | "socks4a" | "ip" | "connect" | "tls";
  readonly host: string;
  readonly port: number;
}

/** The code of the protocol, or "closed"; and which addresses were reached by it. */
export interface Told {
  readonly code: string;
  readonly reached: readonly string[];
}

/** Whether this machine lets us make namespaces; says so aloud where it does not. */
export async function canIsolate(): Promise<boolean> {
  const { code } = find("unshare") && find("ip")
    ? await run("unshare", ["--net", "--mount", "ip", "link", "set", "lo", "up"])
    : { code: 1 };
  if (code === 0) return true;
  if (Deno.env.get("CI") === "true") {
    throw new Error("Cannot test in a network namespace: not permitted here");
  }
  console.error("SKIPPED the denials beyond loopback: they need root, unshare and ip");
  return false;
}

/** Asks each of `asks` in a fresh namespace; what each was told, in order. */
export async function inNamespace(machine: Machine): Promise<Told[]> {
  await using folder = await Folder.make();
  const file = await folder.write("machine.json", JSON.stringify(machine));
  const inside = [Deno.execPath(), "run", "-A", import.meta.url, file];
  const { stdout } = await succeed("unshare", ["--net", "--mount", "--", ...inside]);
  return JSON.parse(stdout);
}

async function live(machine: Machine): Promise<Told[]> {
  await using folder = await Folder.make();
  await succeed("ip", ["link", "set", "lo", "up"]);
  for (const address of machine.addresses) {
    const v6 = address.includes(":");
    await succeed("ip", ["address", "add", address, "dev", "lo", ...v6 ? ["nodad"] : []]);
  }
  await succeed("mount", ["--bind", await folder.write("hosts", machine.hostsFile), "/etc/hosts"]);
  await using dns = await DnsServer.start(zone(machine.zone));
  const reached: string[] = [];
  const servers = await Promise.all(machine.ports.map((port) => listenEverywhere(port, reached)));
  try {
    await using program = await Program.start(machine.yaml, { env: { DNS: `127.0.0.1:${dns.target.port}` } });
    const told: Told[] = [];
    for (const ask of machine.asks) {
      const code = await asked(ask);
      told.push({ code, reached: reached.splice(0) });
    }
    if (await program.stop() !== 0) throw new Error(program.child.stderr);
    return told;
  } finally {
    for (const server of servers) server.close();
  }
}

/** Every address of the machine, IPv4 and IPv6; greets, so that a client knows that it got through. */
function listenEverywhere(port: number, reached: string[]): Promise<net.Server> {
  const server = net.createServer((socket) => {
    reached.push(`${socket.localAddress!.replace(/^::ffff:/, "")}:${socket.localPort}`);
    socket.on("error", () => {});
    socket.end("hello");
  });
  return new Promise((ready, failed) => {
    server.once("error", failed);
    server.listen({ host: "::", port, ipv6Only: false }, () => ready(server));
  });
}

async function asked({ at, by, host, port }: Ask): Promise<string> {
  const colon = at.lastIndexOf(":");
  await using client = await connect(Number(at.slice(colon + 1)), at.slice(0, colon));
  client.socket.setTimeout(5000, () => client.socket.destroy(new Error(`no answer to ${by} ${host}`)));
  const code = await CODES[by](client, host, port);
  // Who was let through hears the server, so that it has been counted before the next one asks.
  if (code === "0" || code === "90" || code === "200") await client.text();
  return code;
}

const CODES: Record<Ask["by"], (client: Client, host: string, port: number) => Promise<string>> = {
  socks: (client, host, port) => socks5(client, [3, Buffer.byteLength(host), ...Buffer.from(host)], port),
  ip: (client, host, port) =>
    socks5(client, host.includes(":") ? [4, ...v6Bytes(host)] : [1, ...v4Bytes(host)], port),
  async socks4a(client, host, port) {
    await client.write(Uint8Array.of(4, 1, port >> 8, port & 255, 0, 0, 0, 1, 0, ...Buffer.from(host), 0));
    return String((await client.read(8))[1]);
  },
  async connect(client, host, port) {
    const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    await client.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    return new TextDecoder().decode(await client.read(12)).slice(9);
  },
  async tls(client, host) {
    await client.write(clientHello({ serverName: host }));
    const answer = await client.text();
    return answer.includes("hello") ? "hello" : "closed";
  },
};

async function socks5(client: Client, address: readonly number[], port: number): Promise<string> {
  await client.write(Uint8Array.of(5, 1, 0));
  await client.read(2);
  await client.write(Uint8Array.of(5, 1, 0, ...address, port >> 8, port & 255));
  return String((await client.read(10))[1]);
}

const v4Bytes = (host: string): number[] => host.split(".").map(Number);

/** Eight groups, "::" for as many zeros as are missing. */
function v6Bytes(host: string): number[] {
  const [front, back] = host.split("::").map((half) => half === "" ? [] : half.split(":"));
  const tail = back ?? [], zeros = Array(8 - front.length - tail.length).fill("0");
  return [...front, ...zeros, ...tail].flatMap((group) => {
    const value = parseInt(group, 16);
    return [value >> 8, value & 255];
  });
}

if (import.meta.main) {
  console.log(JSON.stringify(await live(JSON.parse(await Deno.readTextFile(Deno.args[0])))));
}
