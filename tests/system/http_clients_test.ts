/** The HTTP proxy between curl, and nginx and node as backends. */
import http from "node:http";
import { freePort } from "../../scripts/free_ports.ts";
import { equal, ok } from "../support/assert.ts";
import { Child, Folder, succeed } from "../support/child.ts";
import { startGate } from "../support/gate.ts";
import { pattern } from "../support/net.ts";

const BIG = 3_000_000;

/** Serves what is in its folder: `small`, and `big` of 3 MB. */
async function startNginx(folder: Folder) {
  const port = freePort(), { path } = folder;
  await Deno.mkdir(`${path}/www`);
  await Deno.writeTextFile(`${path}/www/small`, "small");
  await Deno.writeFile(`${path}/www/big`, pattern(BIG));
  await Deno.chmod(path, 0o755);
  const file = await folder.write(
    "nginx.conf",
    `daemon off; error_log stderr notice; pid ${path}/pid; events {} http { access_log off; root ${path}/www;
      client_body_temp_path ${path}/body; proxy_temp_path ${path}/p; fastcgi_temp_path ${path}/f;
      uwsgi_temp_path ${path}/u; scgi_temp_path ${path}/s;
      server { listen 127.0.0.1:${port}; } }`,
  );
  const child = new Child("nginx", ["-c", file, "-p", path]);
  await child.line(/start worker process/);
  return { port, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}

/** Answers with the method, the path and the content that came. */
async function startNode() {
  const server = http.createServer((request, response) => {
    response.writeHead(200, { "x-seen": request.headers["x-forwarded-for"] as string });
    response.write(`${request.method} ${request.url} `);
    request.pipe(response);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const address = server.address() as { port: number };
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

Deno.test("curl gets files of nginx and talks to node, each below a path of its own", async () => {
  await using folder = await Folder.make();
  await using nginx = await startNginx(folder);
  await using node = await startNode();
  await using gate = await startGate(`
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - { host: localhost, path: /api, to: "http://127.0.0.1:${node.port}" }
  - { host: localhost, to: "http://127.0.0.1:${nginx.port}" }
`);
  const url = `http://localhost:${gate.port("web")}`, out = `${folder.path}/out`;
  const curl = async (...args: string[]) =>
    (await succeed("curl", ["-sS", "--ipv4", "--max-time", "20", ...args])).stdout;
  equal(await curl(`${url}/small`), "small");
  equal(await curl(`${url}/small`, `${url}/small`, `${url}/api/x?y`), "smallsmallGET /api/x?y ");
  await curl("-o", out, `${url}/big`);
  equal(await Deno.readFile(out), pattern(BIG));
  equal(await curl("-r", "100-104", `${url}/big`), new TextDecoder().decode(pattern(BIG).subarray(100, 105)));
  equal(await curl("-o", "/dev/null", "-w", "%{http_code}", `${url}/missing`), "404");
  ok((await curl("-I", `${url}/big`)).includes(`Content-Length: ${BIG}`));
  equal(await curl("--http1.0", `${url}/api/old`), "GET /api/old ");
  equal(await curl("--http2", `${url}/small`), "small");
  equal(await curl("-d", "x=1", `${url}/api`), "POST /api x=1");
  await curl("-T", `${folder.path}/www/big`, "-o", out, `${url}/api/big`);
  const put = await Deno.readFile(out), intro = new TextEncoder().encode("PUT /api/big ");
  equal(put.length, intro.length + BIG);
  equal(put.subarray(intro.length), pattern(BIG));
  await curl("-T", `${folder.path}/www/big`, "-H", "Transfer-Encoding: chunked", "-o", out, `${url}/api/big`);
  equal((await Deno.readFile(out)).subarray(intro.length), pattern(BIG));
  equal(await curl("-o", "/dev/null", "-w", "%{http_code}", "--path-as-is", `${url}/x/../api`), "400");
});
