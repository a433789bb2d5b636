/** Who is compared: nothing between (direct), HAProxy, ugate. Each has the same doors to the same sink. */
import { find } from "../clients.ts";
import { freePort } from "../free_ports.ts";
import { Child, mostDescriptors } from "./process.ts";

/** How a connection gets in: a plain forward, a route by SNI, or as the client of a SOCKS server. */
export type Door = "forward" | "sni" | "socks";

export interface Contender extends AsyncDisposable {
  readonly name: string;
  readonly doors: Readonly<Partial<Record<Door, number>>>;
  /** undefined: there is no process between. */
  readonly child?: Child;
  /** ms from its start to its first accepted connection. */
  readonly startup?: number;
}

/** The name that routes by SNI are found by. */
export const SERVER_NAME = "bench.test";
const MAIN = new URL("../../main.ts", import.meta.url).pathname;

export function direct(sink: number): Contender {
  return { name: "direct", doors: { forward: sink }, [Symbol.asyncDispose]: () => Promise.resolve() };
}

export function haproxy(sink: number): Promise<Contender> {
  const forward = freePort(), sni = freePort();
  // Two descriptors a connection and two a pipe have to fit into the limit.
  const most = Math.floor((mostDescriptors() - 1000) / 2);
  const config = `
global
  nbthread 1
  maxconn ${most}
  maxpipes 200
defaults
  mode tcp
  option splice-auto
  maxconn ${most}
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend forward
  bind 127.0.0.1:${forward}
  default_backend sink
frontend sni
  bind 127.0.0.1:${sni}
  tcp-request inspect-delay 3s
  tcp-request content accept if { req.ssl_hello_type 1 }
  use_backend sink if { req.ssl_sni -i ${SERVER_NAME} }
backend sink
  server sink 127.0.0.1:${sink}
`;
  return start("haproxy", config, { forward, sni }, (file) => [find("haproxy")!, "-db", "-q", "-f", file]);
}

export function ugate(sink: number): Promise<Contender> {
  const doors = { forward: freePort(), sni: freePort(), socks: freePort() };
  const config = `
listeners:
  forward: { address: "127.0.0.1:${doors.forward}", to: "127.0.0.1:${sink}" }
  sni: { address: "127.0.0.1:${doors.sni}", protocols: [tls] }
  socks: { address: "127.0.0.1:${doors.socks}", protocols: [socks] }
routes:
  - { listener: sni, host: ${SERVER_NAME}, to: "127.0.0.1:${sink}" }
limits: { connections: 100000, perSource: 100000 }
admin: { address: "off" }
log: { level: error }
`;
  const command = (file: string) => [Deno.execPath(), "run", "-A", MAIN, "run", "-c", file];
  return start("ugate", config, doors, command);
}

async function start(
  name: string,
  config: string,
  doors: Partial<Record<Door, number>>,
  command: (file: string) => string[],
): Promise<Contender> {
  const file = await Deno.makeTempFile({ suffix: name === "ugate" ? ".yaml" : ".cfg" });
  await Deno.writeTextFile(file, config);
  const [program, ...args] = command(file);
  const since = performance.now();
  const child = Child.server(name, program, args);
  const end = async () => {
    await child[Symbol.asyncDispose]();
    await Deno.remove(file);
  };
  try {
    const startup = await child.listens(doors.forward!, since);
    return { name, doors, child, startup, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}
