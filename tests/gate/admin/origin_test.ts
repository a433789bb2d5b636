/** Attacks from a browser that can reach the page: rebinding, other origins, and methods in disguise. */
import { hostGuard } from "../../../gate/admin/host.ts";
import type { Operations } from "../../../gate/operations.ts";
import { LOOPBACK, portOf, raw, rawHead, statusOf, withAdmin } from "../../support/admin.ts";
import { equal, ok } from "../../support/assert.ts";
import { APPLIED } from "../../support/operations.ts";

/** A gate that counts how often something was changed. */
function counting(): { readonly operations: Partial<Operations>; changes: number } {
  const counted = {
    changes: 0,
    operations: {
      reload: () => Promise.resolve((counted.changes++, APPLIED)),
      try: () => Promise.resolve((counted.changes++, APPLIED)),
      confirm: () => Promise.resolve((counted.changes++, "confirmed" as const)),
    },
  };
  return counted;
}

Deno.test("a request under another name is refused, whatever it asks for", async () => {
  const gate = counting();
  await withAdmin(gate, async (admin) => {
    const port = portOf(admin), to = { hostname: "127.0.0.1", port };
    for (
      const host of ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "local host", "a@localhost"]
    ) {
      for (const asked of ["GET /status", "GET /", "GET /healthz", "POST /reload", "POST /confirm?id=1"]) {
        const reply = await rawHead(to, `${asked} HTTP/1.1\r\nHost: ${host}\r\nOrigin: http://${host}`);
        equal(statusOf(reply), 421, `${asked} ${host}`);
        ok(reply.includes("Cannot answer: this Host"));
      }
    }
    for (
      const host of [
        "localhost",
        `LOCALHOST:${port}`,
        "127.0.0.1",
        `[::1]:${port}`,
        "127.8.8.8:1",
        "a.localhost",
      ]
    ) {
      equal(statusOf(await rawHead(to, `GET /status HTTP/1.1\r\nHost: ${host}`)), 200, host);
    }
    equal(statusOf(await rawHead(to, `GET http://127.0.0.1/status HTTP/1.1\r\nHost: evil.example`)), 421);
    equal(statusOf(await rawHead(to, "GET /status HTTP/1.0\r\nX-None: 1")), 421);
  });
  equal(gate.changes, 0);
});

Deno.test("a page on all addresses answers to every IP literal and to no name but loopback's", () => {
  const isOwn = hostGuard({ host: "", port: 15000 });
  ok(isOwn("10.0.0.1:15000") && isOwn("[fd00::1]") && isOwn("localhost"));
  ok(!isOwn("gate.example") && !isOwn("1.2.3.4.5") && !isOwn(undefined));
  const named = hostGuard({ host: "10.0.0.1", port: 1 });
  ok(named("10.0.0.1:99") && !named("10.0.0.2"));
});

Deno.test("a change comes from the page's own origin, or from no browser", async () => {
  const gate = counting();
  await withAdmin(gate, async (admin) => {
    const port = portOf(admin), to = { hostname: "127.0.0.1", port };
    const post = async (...lines: string[]) =>
      statusOf(
        await rawHead(to, [`POST /reload HTTP/1.1`, `Host: localhost:${port}`, ...lines].join("\r\n")),
      );
    const own = `Origin: http://localhost:${port}`;
    for (
      const origin of [
        "http://evil.example",
        "null",
        `https://localhost:${port}`,
        "http://localhost",
        `http://localhost:${port + 1}`,
        `http://127.0.0.1:${port}`,
        `http://localhost:${port}/`,
        "",
      ]
    ) {
      equal(await post(`Origin: ${origin}`), 403, origin);
    }
    for (const site of ["cross-site", "same-site", "new-word"]) {
      equal(await post(`Sec-Fetch-Site: ${site}`), 403, site);
      equal(await post(own, `Sec-Fetch-Site: ${site}`), 403, site);
    }
    equal(gate.changes, 0);
    equal(await post(), 200);
    equal(await post(own), 200);
    equal(await post(own, "Sec-Fetch-Site: same-origin"), 200);
    equal(gate.changes, 3);
  });
});

Deno.test("a default port is the same with and without its number", async () => {
  await withAdmin({}, async (admin) => {
    const to = { hostname: "127.0.0.1", port: portOf(admin) };
    const head = "POST /reload HTTP/1.1\r\nHost: localhost:80\r\nOrigin: http://localhost";
    equal(statusOf(await rawHead(to, head)), 200);
  });
});

Deno.test("nothing is changed but by POST, whatever the request says of its method", async () => {
  const gate = counting();
  await withAdmin(gate, async (admin) => {
    const port = portOf(admin), to = { hostname: "127.0.0.1", port };
    const ask = (asked: string, ...lines: string[]) =>
      rawHead(to, [`${asked} HTTP/1.1`, `Host: localhost:${port}`, ...lines].join("\r\n"));
    for (const method of ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "post", "TRACE", "CONNECT"]) {
      const reply = await ask(`${method} /reload`, "X-HTTP-Method-Override: POST", "X-HTTP-Method: POST");
      equal(statusOf(reply), 405, method);
      ok(reply.includes("\r\nallow: POST\r\n"), reply);
    }
    equal(statusOf(await ask("GET /confirm?id=1&_method=POST")), 405);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const reply = await ask(`${method} /status`);
      equal(statusOf(reply), 405);
      ok(reply.includes("\r\nallow: GET, HEAD\r\n"), reply);
    }
  });
  equal(gate.changes, 0);
});

Deno.test("another site's page cannot load what is here into itself, but may link to it", async () => {
  await withAdmin({}, async (admin) => {
    const port = portOf(admin), to = { hostname: "127.0.0.1", port };
    const get = async (mode: string) => {
      const fetching = `Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: ${mode}`;
      return statusOf(
        await rawHead(to, `GET /connections HTTP/1.1\r\nHost: localhost:${port}\r\n${fetching}`),
      );
    };
    equal([await get("no-cors"), await get("cors"), await get("navigate")], [403, 403, 200]);
  });
});

Deno.test("every answer forbids to be kept, framed, guessed at or read from elsewhere", async () => {
  await withAdmin({ metrics: LOOPBACK }, async (admin) => {
    for (const [at, path] of [[0, "/"], [0, "/status"], [0, "/nothing"], [1, "/metrics"]] as const) {
      const reply = await rawHead(
        { hostname: "127.0.0.1", port: portOf(admin, at) },
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1`,
      );
      for (
        const line of [
          "cache-control: no-store",
          "cross-origin-resource-policy: same-origin",
          "x-content-type-options: nosniff",
        ]
      ) ok(reply.includes(`\r\n${line}\r\n`), `${path}: ${line}`);
      const policy = /\r\ncontent-security-policy: (.*)\r\n/.exec(reply)![1];
      ok(policy.startsWith("default-src 'none'; ") && policy.includes("frame-ancestors 'none'"), policy);
      ok(!/unsafe|\*|http:/.test(policy), policy);
      ok(!reply.toLowerCase().includes("access-control-"), reply);
    }
  });
});

Deno.test("the metrics address answers metrics and health to any Host and nothing else", async () => {
  const gate = counting();
  await withAdmin({ ...gate, metrics: { host: "", port: 0 } }, async (admin) => {
    const port = portOf(admin, 1);
    equal(admin.addresses[1], `:${port}`);
    for (const hostname of ["127.0.0.1", "localhost"]) {
      const asked = async (what: string) =>
        statusOf(
          await raw({ hostname, port }, `${what} HTTP/1.1\r\nHost: pod.example\r\nConnection: close\r\n\r\n`),
        );
      for (const path of ["/healthz", "/readyz", "/metrics"]) {
        equal([await asked(`GET ${path}`), await asked(`POST ${path}`)], [200, 405], path);
      }
      for (const path of ["/", "/status", "/connections", "/config", "/trial", "/main.js"]) {
        equal(await asked(`GET ${path}`), 404, path);
      }
      equal([await asked("POST /reload"), await asked("POST /confirm?id=1")], [404, 404]);
    }
  });
  equal(gate.changes, 0);
});
