/** Proxies in front of one backend: the gate, and those of Debian that others trust. Each tells what it believes it sent on. */
import { freePort } from "../../scripts/free_ports.ts";
import { Child, Folder } from "./child.ts";
import { startGate } from "./gate.ts";
import { connect } from "./net.ts";

export interface Proxy extends AsyncDisposable {
  readonly port: number;
  /** The requests that it sent on, in the order in which it was done with them: as its log has them. */
  sent(): string[];
}

/** A request by its method and path: each server writes the same target in its own way. */
export function nameOf(method: string, target: string): string {
  const path = target.replace(/^https?:\/\/[^/?]*/i, "").replace(/\?.*/, "");
  return `${method} ${path || (method === "OPTIONS" ? "*" : "/")}`;
}

export const PROXIES = ["ugate", "nginx", "haproxy"] as const;
export type ProxyName = typeof PROXIES[number];

const MOST_WAITED = 10_000;

/** `patience`: how long they wait for the rest of a message, or for the next one, ms. */
type Start = (backend: number, patience: number) => Promise<Proxy>;

export const startProxy: Readonly<Record<ProxyName, Start>> = {
  async ugate(backend, patience) {
    const gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ to: "http://127.0.0.1:${backend}" }]
limits: { headSize: 4KiB, headTimeout: ${patience}ms, bodyTimeout: ${patience}ms, keepAlive: ${patience}ms }
`);
    const sent = () =>
      gate.requests.filter(({ endpoint }) => endpoint).map(({ method, path }) => nameOf(method, path));
    return { port: gate.port("web"), sent, [Symbol.asyncDispose]: () => gate[Symbol.asyncDispose]() };
  },

  async nginx(backend, patience) {
    const folder = await Folder.make(), port = freePort(), { path } = folder;
    await Deno.chmod(path, 0o755);
    const file = await folder.write(
      "nginx.conf",
      `daemon off; master_process off; error_log stderr crit; pid ${path}/pid; events {} http {
        log_format sent escape=none '$upstream_status|$request_method $request_uri';
        access_log /dev/stdout sent;
        client_body_temp_path ${path}/b; proxy_temp_path ${path}/p; fastcgi_temp_path ${path}/f;
        uwsgi_temp_path ${path}/u; scgi_temp_path ${path}/s;
        client_header_timeout ${patience}ms; client_body_timeout ${patience}ms; keepalive_timeout ${patience}ms; lingering_close off; client_max_body_size 0;
        upstream backend { server 127.0.0.1:${backend}; keepalive 8; }
        server { listen 127.0.0.1:${port}; location / {
          proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";
          proxy_request_buffering off; } } }`,
    );
    const child = new Child("nginx", ["-e", "stderr", "-c", file, "-p", path]);
    return await answering(child, port, folder, /^\d[^|]*\|(\S+) (.*)$/gm);
  },

  async haproxy(backend, patience) {
    const folder = await Folder.make(), port = freePort();
    const file = await folder.write(
      "haproxy.cfg",
      `global
  nbthread 1
  log stdout len 16384 format raw local0
  tune.http.logurilen 8192
defaults
  mode http
  log global
  log-format "%s|%HM %HU"
  http-reuse always
  timeout connect 5s
  timeout client ${patience}ms
  timeout http-request ${patience}ms
  timeout http-keep-alive ${patience}ms
  timeout server 2s
frontend web
  bind 127.0.0.1:${port}
  default_backend recorder
backend recorder
  server recorder 127.0.0.1:${backend}
`,
    );
    const child = new Child("haproxy", ["-db", "-f", file]);
    return await answering(child, port, folder, /^recorder\|(\S+) (.*)$/gm);
  },
};

/** A running program whose log has a line of each request; the pattern finds those that it sent on. */
async function answering(child: Child, port: number, folder: Folder, pattern: RegExp): Promise<Proxy> {
  const late = performance.now() + MOST_WAITED;
  const stands = () =>
    connect(port).then((client) => client[Symbol.asyncDispose]()).then(() => true, () => false);
  while (!await stands()) {
    if (child.ended || performance.now() > late) {
      throw new Error(`nothing answers at ${port}: ${child.stderr}`);
    }
    await new Promise((done) => setTimeout(done, 20));
  }
  return {
    port,
    sent: () =>
      [...child.stdout.matchAll(pattern)].map(([, method, target]) => nameOf(plain(method), plain(target))),
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** What HAProxy writes in its log for signs that are none of a URI. */
const plain = (text: string): string =>
  text.replace(/#([0-9A-F]{2})/g, (_, digits) => String.fromCharCode(parseInt(digits, 16)));
