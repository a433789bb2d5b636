/** Chromium in front of the gate's TLS, made to trust it as `ugate dev-cert` says; behind it are nginx and node. */
import { createHash } from "node:crypto";
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Browser } from "../support/browser.ts";
import { Folder, succeed } from "../support/child.ts";
import { pattern } from "../support/pattern.ts";
import { Program, ugate } from "../support/program.ts";
import { BIG, startNginx, startNode } from "../support/web_servers.ts";

const SITE = {
  "index.html": `<!doctype html><html lang="en"><meta charset="utf-8"><title>Through the gate</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css">
<h1>Through the gate</h1><img src="/image.svg" alt="">
<table id="done"></table><script type="module" src="/app.js"></script>`,
  "style.css": "h1 { color: rgb(0, 100, 0) } td { padding: 0.2em 1em; border: 1px solid silver }",
  "image.svg":
    `<svg xmlns="http://www.w3.org/2000/svg" width="80" height="80"><circle cx="40" cy="40" r="38"/></svg>`,
  "app.js": `import { tell } from "/tell.js"; import * as work from "/work.js";
globalThis.work = work; tell("a module", "loaded");`,
  "tell.js": `export const tell = (what, came) => {
  const row = document.getElementById("done").insertRow();
  row.insertCell().textContent = what; row.insertCell().textContent = came;
};`,
  "work.js": `import { tell } from "/tell.js";
const hex = async (bytes) =>
  Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)), (n) => n.toString(16).padStart(2, "0")).join("");
const told = (what, came) => (tell(what, came), came);
export const download = async () => told("download", await hex(await (await fetch("/big")).arrayBuffer()));
export const upload = async (size) => {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = i * 31 + (i >> 8);
  const there = await (await fetch("/live/digest", { method: "POST", body: bytes })).text();
  return told("upload", there === await hex(bytes) ? size + " bytes" : "changed");
};
export const socket = (...sizes) => new Promise((done, failed) => {
  const live = new WebSocket("wss://" + location.host + "/live/socket"), came = [];
  live.onopen = () => sizes.forEach((size) => live.send("w".repeat(size)));
  live.onmessage = ({ data }) => came.push(data.length) === sizes.length && live.close(1000);
  live.onerror = () => failed(new Error("the WebSocket failed"));
  live.onclose = ({ code, wasClean }) => done(told("WebSocket", [code, wasClean, ...came].join(" ")));
});
export const events = () => new Promise((done, failed) => {
  const source = new EventSource("/live/events"), came = [];
  source.onmessage = ({ data, lastEventId }) => {
    came.push(lastEventId + " " + data);
    if (came.length === 3) { source.close(); done(told("EventSource", came.join(", "))); }
    else fetch("/live/seen", { method: "POST" });
  };
  source.onerror = () => failed(new Error("the EventSource failed"));
});`,
};

Deno.test({
  name: "a page with a WebSocket, events, an upload and a download comes through TLS, from http:// on",
  ignore: !need("chromium", "certutil", "nginx", "node"),
  async fn() {
    await using folder = await Folder.make();
    await using nginx = await startNginx(SITE);
    await using node = await startNode();
    const state = `${folder.path}/state`, { path } = folder;
    const { stdout } = await ugate(["dev-cert", "app.localhost", "--out", path, "--state", state]);
    const [, believe] = /^ +Chromium +(.*?) +\(of /m.exec(stdout)!;
    await using program = await Program.start(`
listeners: { edge: { address: "127.0.0.1:0", protocols: [tls, http] } }
routes:
  - { host: app.localhost, path: /live, tls: terminate, to: "http://127.0.0.1:${node.port}", rewrite: { path: / } }
  - { host: app.localhost, tls: terminate, to: "http://127.0.0.1:${nginx.port}", compress: [zstd, gzip] }
certificates: [{ cert: "${path}/app.localhost.pem", key: "${path}/app.localhost.key" }]
admin: { address: "127.0.0.1:0" }
`);
    await using browser = await Browser.start((HOME) => succeed("sh", ["-c", believe], { env: { HOME } }));
    const at = `app.localhost:${program.port("edge")}`;
    await browser.open(`http://${at}/`);
    await browser.until("globalThis.work && document.querySelector('img').naturalWidth === 80");
    equal(await browser.evaluate("location.href + isSecureContext"), `https://${at}/true`);
    const shown = "getComputedStyle(document.querySelector('h1')).color";
    equal(await browser.evaluate(shown), "rgb(0, 100, 0)");

    equal(await browser.evaluate("work.socket(5, 200, 100_000)"), "1000 true 5 200 100000");
    equal(await browser.evaluate("work.events()"), "1 event 1, 2 event 2, 3 event 3");
    equal(await browser.evaluate("work.upload(5_000_000)"), "5000000 bytes");
    const digest = createHash("sha256").update(pattern(BIG)).digest("hex");
    equal(await browser.evaluate("work.download()"), digest);
    // Many at once: the browser opens several connections, and each is served.
    const many =
      `Promise.all(Array.from({ length: 40 }, async (_, i) => (await fetch("/live/x" + i)).text()))`;
    equal(await browser.evaluate(many), Array.from({ length: 40 }, (_, i) => `GET /x${i} `));

    equal(browser.responses[0], `308 http/1.1 http://${at}/`);
    ok(
      browser.responses.slice(1).every((line) => /^(200 http\/1\.1 https:|101 )/.test(line)),
      `${browser.responses}`,
    );
    equal(browser.complaints, []);
    // Who closes an EventSource leaves without a word.
    const broken = program.requests.filter(({ outcome, path }) =>
      outcome !== "ok" && path !== "/live/events"
    );
    equal(broken, []);
  },
});
