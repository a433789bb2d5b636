/** The HTTP servers that are compared: one route to the same backend, in clear and under TLS, one thread each. */
import { find } from "../../clients.ts";

/** How a request comes in. */
export type Entrance = "clear" | "tls";
/** Their ports, of 127.0.0.1. */
export type Entrances = Readonly<Record<Entrance, number>>;

/** What a configuration is made of. */
export interface Setting {
  readonly ports: Entrances;
  /** In clear, on 127.0.0.1. */
  readonly backend: number;
  /** A directory for this server alone; `log/access.log` in it is for a line of each request. */
  readonly folder: string;
  readonly files: Files;
}

/** PEM: a certificate, its key, and one behind the other. */
export interface Files {
  readonly cert: string;
  readonly key: string;
  readonly both: string;
}

export interface HttpServer {
  readonly name: string;
  /** Why it cannot be measured here; undefined: it can. */
  absent(): string | undefined;
  /** The program and its arguments, which end with the configuration's file. */
  command(file: string, folder: string): string[];
  configure(setting: Setting): string;
}

/** Connections that a server keeps to its backend, and those that it takes. */
const KEPT = 256, MOST = 2000;
/** Requests of one connection: as many as come. */
const ENDLESS = 1_000_000_000;

const absent = (program: string) => () => find(program) ? undefined : `not installed (Debian: ${program})`;

const nginxHead = (folder: string) => `
daemon off;
master_process off;
pid ${folder}/pid;
error_log stderr crit;
events { worker_connections ${2 * MOST}; }
http {
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  keepalive_requests ${ENDLESS};
  keepalive_timeout 300s;
  client_max_body_size 0;
`;

/** What stands behind everyone: 120 octets at /small, 1 MiB at /big, and content is thrown away at /upload. */
export const backend: HttpServer = {
  name: "direct",
  absent: absent("nginx"),
  command: (file) => [find("nginx")!, "-e", "stderr", "-c", file],
  configure: ({ ports, folder, files }) =>
    `${nginxHead(folder)}
  access_log off;
  root ${folder};
  sendfile on;
  server {
    listen 127.0.0.1:${ports.clear};
    listen 127.0.0.1:${ports.tls} ssl;
    ssl_certificate ${files.cert};
    ssl_certificate_key ${files.key};
    location = /swallowed { return 204; }
    location /upload { # all of it is read before the answer, or those in front would end the upload early
      client_body_buffer_size 2m;
      proxy_pass http://127.0.0.1:${ports.clear}/swallowed;
      proxy_method GET;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
    }
  }
}
`,
};

const nginx: HttpServer = {
  name: "nginx",
  absent: absent("nginx"),
  command: (file) => [find("nginx")!, "-e", "stderr", "-c", file],
  configure: ({ ports, backend, folder, files }) =>
    `${nginxHead(folder)}
  access_log ${folder}/log/access.log combined;
  upstream backend { server 127.0.0.1:${backend}; keepalive ${KEPT}; keepalive_requests ${ENDLESS}; }
  server {
    listen 127.0.0.1:${ports.clear};
    listen 127.0.0.1:${ports.tls} ssl;
    ssl_certificate ${files.cert};
    ssl_certificate_key ${files.key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tls:10m;
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering off;
    }
  }
}
`,
};

/** It logs to a syslog alone, so it writes nothing here: that is to its favour. */
const haproxy: HttpServer = {
  name: "haproxy",
  absent: absent("haproxy"),
  command: (file) => [find("haproxy")!, "-db", "-q", "-f", file],
  configure: ({ ports, backend, files }) => `
global
  nbthread 1
  maxconn ${MOST}
defaults
  mode http
  maxconn ${MOST}
  option splice-auto
  http-reuse always
  timeout connect 5s
  timeout client 300s
  timeout server 300s
frontend web
  bind 127.0.0.1:${ports.clear}
  bind 127.0.0.1:${ports.tls} ssl crt ${files.both} alpn http/1.1
  default_backend nginx
backend nginx
  server nginx 127.0.0.1:${backend}
`,
};

/** Without `skip_install_trust` it would make this machine trust an authority of its own. */
const caddy: HttpServer = {
  name: "caddy",
  absent: absent("caddy"),
  command: (
    file,
  ) => ["env", "GOMAXPROCS=1", find("caddy")!, "run", "--adapter", "caddyfile", "--config", file],
  configure: ({ ports, backend, folder, files }) => {
    const site = `
  reverse_proxy 127.0.0.1:${backend} {
    transport http {
      keepalive_idle_conns_per_host ${KEPT}
    }
  }
  log {
    output file ${folder}/log/access.log
  }
`;
    return `
{
  admin off
  auto_https off
  skip_install_trust
  servers {
    protocols h1
  }
  log {
    output discard
  }
}
http://127.0.0.1:${ports.clear} {${site}}
https://127.0.0.1:${ports.tls}, https://bench.test:${ports.tls} {
  tls ${files.cert} ${files.key}
${site}}
`;
  },
};

const MAIN = new URL("../../../main.ts", import.meta.url).pathname;

const ugate: HttpServer = {
  name: "ugate",
  absent: () => undefined,
  command: (file, folder) => [
    ..."sh -c".split(" "),
    `exec "$@" 2>${folder}/log/access.log`,
    ...["sh", Deno.execPath(), "run", "-A", MAIN, "run", "-c", file],
  ],
  configure: ({ ports, backend, folder, files }) => `
listeners:
  clear: { address: "127.0.0.1:${ports.clear}", protocols: [http] }
  tls: { address: "127.0.0.1:${ports.tls}", protocols: [tls, http] }
certificates: [{ cert: "${files.cert}", key: "${files.key}" }]
routes:
  - { to: "http://127.0.0.1:${backend}" }
limits: { connections: ${MOST}, perSource: ${MOST}, requestsPerConnection: ${ENDLESS} }
admin: { address: "127.0.0.1:0" }
log: { format: json }
node: { state: ${folder} }
`,
};

export const HTTP_SERVERS: readonly HttpServer[] = [haproxy, nginx, caddy, ugate];
