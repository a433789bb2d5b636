/** Web servers that others wrote, as backends: nginx and node, each a process of its own. */
import { freePort } from "../../scripts/free_ports.ts";
import { Child, Folder } from "./child.ts";
import { pattern } from "./pattern.ts";

export interface WebServer extends AsyncDisposable {
  readonly port: number;
}

/** PEM files: who a server is, and whose clients it wants, if it asks for certificates. */
export interface ServerTls {
  readonly chainFile: string;
  readonly keyFile: string;
  readonly clients?: string;
}

/** Octets of the file `big` that nginx serves. */
export const BIG = 3_000_000;

/** nginx with these `server {}`; it writes nowhere but in the folder. */
export async function startNginxWith(folder: Folder, servers: string): Promise<AsyncDisposable> {
  const { path } = folder;
  await Deno.chmod(path, 0o755); // its workers are another user
  const file = await folder.write(
    "nginx.conf",
    `daemon off; error_log stderr notice; pid ${path}/pid; events {} http {
      access_log off; include /etc/nginx/mime.types; root ${path}/www;
      client_body_temp_path ${path}/body; proxy_temp_path ${path}/p; fastcgi_temp_path ${path}/f;
      uwsgi_temp_path ${path}/u; scgi_temp_path ${path}/s;
      ${servers} }`,
  );
  const child = new Child("nginx", ["-c", file, "-p", path]);
  await child.line(/start worker process/);
  return child;
}

/** Serves `www` of its folder: `small`, `big`, and these files. With `tls` over TLS alone. */
export async function startNginx(files: Record<string, string> = {}, tls?: ServerTls): Promise<WebServer> {
  await using started = new AsyncDisposableStack();
  const folder = started.use(await Folder.make()), port = freePort();
  await Deno.mkdir(`${folder.path}/www`);
  await folder.write("www/big", pattern(BIG));
  for (const [name, text] of Object.entries({ small: "small", ...files })) {
    await folder.write(`www/${name}`, text);
  }
  const secure = tls
    ? ` ssl; ssl_certificate ${tls.chainFile}; ssl_certificate_key ${tls.keyFile};
        ${tls.clients ? `ssl_client_certificate ${tls.clients}; ssl_verify_client on;` : ""}`
    : ";";
  started.use(await startNginxWith(folder, `server { listen 127.0.0.1:${port}${secure} }`));
  const all = started.move();
  return { port, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

const NODE_BACKEND = new URL("./node_backend.mjs", import.meta.url).pathname;

/** node with what node_backend.mjs tells. With `tls` over TLS alone. */
export async function startNode(tls?: ServerTls): Promise<WebServer> {
  const child = new Child("node", [
    NODE_BACKEND,
    ...tls ? [tls.chainFile, tls.keyFile, ...tls.clients ? [tls.clients] : []] : [],
  ]);
  const [, port] = await child.line(/^port (\d+)$/m);
  return { port: Number(port), [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}
