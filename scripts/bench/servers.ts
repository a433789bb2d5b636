/** The servers that are compared, and their configurations: the same doors to the same upstream, one thread each. */
import { capacity } from "./process.ts";
import { SERVER_NAME, type Upstream } from "./upstream.ts";
import { find } from "../clients.ts";

/** How a connection gets in: a plain forward, a route by SNI, or as the client of a SOCKS server. */
export type Door = "forward" | "sni" | "socks";
/** Their ports. */
export type Doors = Readonly<Partial<Record<Door, number>>>;

/** A server that can be started. */
export interface Server {
  readonly name: string;
  readonly doors: readonly Door[];
  /** What it prints when it serves. */
  readonly ready?: string;
  /** Measured at rest alone: under load it is the same program as another. */
  readonly restsOnly?: boolean;
  /** Bytes of its file, where all that it is stands in one. */
  size?(): number;
  /** Why it cannot be measured here; undefined: it can. */
  absent(): string | undefined;
  /** The program; what the configuration is given with goes behind it. */
  command(): string[];
  /** Its configuration; `folder` is a directory for it alone. */
  configure(doors: Required<Doors>, upstream: Upstream, folder: string): string;
}

const haproxy: Server = {
  name: "haproxy",
  doors: ["forward", "sni"],
  absent: () => find("haproxy") ? undefined : "not installed (Debian: haproxy)",
  command: () => [find("haproxy")!, "-db", "-q", "-f"],
  configure: ({ forward, sni }, { port }) => `
global
  nbthread 1
  maxconn ${capacity()}
  maxpipes 200
defaults
  mode tcp
  option splice-auto
  maxconn ${capacity()}
  timeout connect 5s
  timeout client 300s
  timeout server 300s
frontend forward
  bind 127.0.0.1:${forward}
  default_backend sink
frontend sni
  bind 127.0.0.1:${sni}
  tcp-request inspect-delay 3s
  tcp-request content accept if { req.ssl_hello_type 1 }
  use_backend sink if { req.ssl_sni -i ${SERVER_NAME} }
backend sink
  server sink 127.0.0.1:${port}
`,
};

const NGINX_STREAM = "/usr/lib/nginx/modules/ngx_stream_module.so";

/** Whether Debian's nginx is here with its stream module. */
export const hasNginxStream = (): boolean => find("nginx") !== undefined && isFile(NGINX_STREAM);

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** The package of Debian that has the module, and asks for nginx itself. */
export const NGINX_PACKAGE = "libnginx-mod-stream";

const nginx: Server = {
  name: "nginx",
  doors: ["forward", "sni"],
  absent: () =>
    hasNginxStream() ? undefined : `its stream module is not installed (Debian: ${NGINX_PACKAGE})`,
  command: () => [find("nginx")!, "-e", "stderr", "-c"],
  // One process without a master: what is read of it is all of it. Its connections are allocated at start.
  configure: ({ forward, sni }, { port }, folder) => `
load_module ${NGINX_STREAM};
daemon off;
master_process off;
pid ${folder}/pid;
error_log stderr crit;
events { worker_connections ${2 * capacity() + 100}; }
stream {
  upstream sink { server 127.0.0.1:${port}; }
  map $ssl_preread_server_name $by_name { ${SERVER_NAME} sink; }
  server {
    listen 127.0.0.1:${forward};
    proxy_pass sink;
  }
  server {
    listen 127.0.0.1:${sni};
    ssl_preread on;
    proxy_pass $by_name;
  }
}
`,
};

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
/** What `deno task compile` makes for this machine. */
const BINARY = new URL(`../../dist/ugate-${Deno.build.target}`, import.meta.url).pathname;

const ugate: Server = {
  name: "ugate",
  doors: ["forward", "sni", "socks"],
  ready: "ready",
  absent: () => undefined,
  command: () => [Deno.execPath(), "run", "-A", MAIN, "run", "-c"],
  configure: ({ forward, sni, socks }, { port }, folder) => `
listeners:
  forward: { address: "127.0.0.1:${forward}", to: "127.0.0.1:${port}" }
  sni: { address: "127.0.0.1:${sni}", protocols: [tls] }
  socks: { address: "127.0.0.1:${socks}", protocols: [socks] }
routes:
  - { listener: sni, host: ${SERVER_NAME}, to: "127.0.0.1:${port}" }
limits: { connections: ${capacity()}, perSource: ${capacity()} }
admin: { address: "127.0.0.1:0" }
log: { level: error }
node: { state: ${folder} }
`,
};

const compiled: Server = {
  ...ugate,
  name: "compiled",
  restsOnly: true,
  size: () => Deno.statSync(BINARY).size,
  absent: () => isFile(BINARY) ? undefined : "not made (deno task compile)",
  command: () => [BINARY, "run", "-c"],
};

export const SERVERS: readonly Server[] = [haproxy, nginx, ugate, compiled];
