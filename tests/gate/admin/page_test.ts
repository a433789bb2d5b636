/** The page at `/` in a real browser: what it shows, asks for and does, and that nothing a client sent becomes code. */
import { need } from "../../../scripts/clients.ts";
import { PAGE, readPageFile } from "../../../gate/admin/page.ts";
import type { Operations, Status } from "../../../gate/operations.ts";
import { portOf, withAdmin } from "../../support/admin.ts";
import { equal, ok } from "../../support/assert.ts";
import { Browser } from "../../support/browser.ts";
import { APPLIED, liveConnection, nodeStatus, STATUS } from "../../support/operations.ts";

const text = async (path: string) => new TextDecoder().decode(await readPageFile(path));

Deno.test("every file of the page is there, and refers to files of the page alone", async () => {
  for (const path of Object.keys(PAGE)) {
    const content = await text(path);
    const named = content.matchAll(/(?:src|href)="([^"#]+)"|from "([^"]+)"|url\(([^)]+)\)/g);
    for (const [, html, script, style] of named) {
      const target = new URL(html ?? script ?? style, `http://gate${path}`);
      const known = target.host === "gate" && (target.pathname in PAGE || READABLE.test(target.pathname));
      ok(known, `${path}: ${target}`);
    }
  }
});
const READABLE = /^\/(status|connections|nodes|config|metrics|healthz|readyz)$/;

Deno.test("no file of the page makes markup or code of a text", async () => {
  for (const path of Object.keys(PAGE)) {
    const content = await text(path);
    ok(
      !/innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|srcdoc/.test(content),
      path,
    );
    if (path === "/") {
      ok(!/\son\w+=|style=|javascript:/i.test(content.replace(/<noscript>.*<\/noscript>/s, "")), path);
    }
  }
});

const HOSTILE = [
  `<img src=x onerror="globalThis.broken=1">`,
  `"><script>globalThis.broken=1</script>`,
  `</table><svg/onload=globalThis.broken=1>`,
  "javascript:globalThis.broken=1",
  "{{constructor.constructor('globalThis.broken=1')()}}",
];

/** A gate whose every text was sent by a client that means harm. */
function hostileGate(): Partial<Operations> {
  const [name] = HOSTILE;
  const status: Status = {
    ...STATUS,
    version: name,
    configuration: { files: [name], trial: { id: name, left: 60_000 } },
    listeners: [{ ...STATUS.listeners[0], listener: name, address: name, protocols: HOSTILE }],
    endpoints: [{ route: name, endpoint: name, active: 1, usable: false }],
    limitHits: { [name]: 3 },
    ended: [{ listener: name, protocol: name, outcome: name, side: name, count: 2 }],
  };
  const connections = HOSTILE.map((text, id) =>
    liveConnection(id, {
      ...{ peer: text, user: text, serverName: text, target: text, endpoint: text, route: text },
      ...{ protocol: text, listener: text },
    })
  );
  return {
    status: () => Promise.resolve(status),
    connections: () => Promise.resolve({ total: connections.length, connections }),
    nodes: () => Promise.resolve([nodeStatus({ names: HOSTILE, identity: name, peer: name })]),
    reload: () => Promise.resolve({ ...APPLIED, result: "refused", problems: HOSTILE }),
  };
}

const SERVING = `document.getElementById("state")?.dataset.state === "serving"`;
const rowsOf = (table: string) =>
  `[...document.querySelectorAll("#${table} tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent))`;
const click = (id: string) => `document.getElementById("${id}").click()`;

Deno.test({
  name: "what clients sent is shown as text, runs nowhere, and nothing is asked of other hosts",
  ignore: !need("chromium"),
  async fn() {
    await withAdmin({ operations: hostileGate() }, async (admin) => {
      const origin = `http://127.0.0.1:${portOf(admin)}`;
      await using browser = await Browser.start();
      await browser.open(`${origin}/`);
      await browser.until(SERVING);
      const rows = await browser.evaluate(rowsOf("live")) as string[][];
      equal(rows.map(([, client]) => client), HOSTILE.map((text) => `${text} ${text}`));
      equal(rows.map(([, , , endpoint]) => endpoint), HOSTILE);
      for (const table of ["listeners", "routes", "failures", "limits"]) {
        const [[first]] = await browser.evaluate(rowsOf(table)) as string[][];
        equal(first, HOSTILE[0], table);
      }
      const [[names, identity]] = await browser.evaluate(rowsOf("reached")) as string[][];
      equal([names, identity], [HOSTILE.join(", "), HOSTILE[0]]);
      await browser.evaluate(click("reload"));
      await browser.until(`document.querySelectorAll("#outcome li").length === ${HOSTILE.length + 2}`);
      equal(await browser.evaluate("globalThis.broken ?? 'whole'"), "whole");
      equal(await browser.evaluate(`document.querySelectorAll("td *, dd *, li li").length`), 0);
      const foreign = browser.requests.filter((url) => !url.startsWith(`${origin}/`));
      equal(foreign, []);
      // The refused reload is 422, which the browser tells; a refusal of the page's policy would be another line.
      equal(browser.complaints.filter((line) => !line.includes("422")), []);
    });
  },
});

Deno.test({
  name: "the page shows a gate that changes: failures as they happen, a trial and how to keep it, an end",
  ignore: !need("chromium"),
  async fn() {
    let status: Status = STATUS, away = false;
    const operations: Partial<Operations> = {
      status: () => away ? Promise.reject(new Error("away")) : Promise.resolve(status),
      confirm: () => Promise.reject(new Error("the page puts no file in place")),
    };
    await withAdmin({ operations }, async (admin) => {
      await using browser = await Browser.start();
      await browser.open(`http://127.0.0.1:${portOf(admin)}/`);
      await browser.until(SERVING);
      equal(await browser.evaluate(`document.getElementById("trial").hidden`), true);
      const [ok, failed] = STATUS.ended;
      status = {
        ...STATUS,
        ended: [ok, { ...failed, count: failed.count + 7 }],
        configuration: { ...STATUS.configuration, trial: { id: "7&8", left: 60_000 } },
      };
      await browser.until(`document.querySelector("#happening .bad")`);
      const [row] = await browser.evaluate(rowsOf("happening")) as string[][];
      equal(row.slice(1), ["no-route", "client", "tls", "edge", "7"]);
      equal(await browser.evaluate(`document.getElementById("trial").hidden`), false);
      equal(
        await browser.evaluate(`document.getElementById("trial-command").textContent`),
        `ugate confirm --admin 127.0.0.1:${portOf(admin)}`,
      );
      equal(await browser.evaluate(`document.querySelectorAll("#trial button").length`), 0);
      status = {
        ...status,
        configuration: { ...status.configuration, lastGood: true, trial: { id: "7&8", left: 0 } },
      };
      await browser.until(`document.getElementById("trial-left").textContent.startsWith("Its time is over")`);
      await browser.until(
        `document.getElementById("configuration").textContent.includes("as it worked last")`,
      );
      status = { ...status, draining: true };
      await browser.until(`document.getElementById("state").textContent === "Draining"`);
      away = true;
      await browser.until(`document.getElementById("state").textContent === "No answer"`);
      away = false;
      await browser.until(`document.getElementById("state").textContent === "Draining"`);
    });
  },
});

Deno.test({
  name:
    "requests are shown with their statuses and times, certificates with what is left, and what is wrong in red",
  ignore: !need("chromium"),
  async fn() {
    const statuses = { none: 0, "1xx": 0, "2xx": 1200, "3xx": 0, "4xx": 7, "5xx": 1 };
    const day = 24 * 60 * 60 * 1000,
      at = (days: number) => new Date(Date.now() + (days + 0.5) * day + 60_000).toISOString();
    const request = { route: "r", label: "host=a.example", active: 2, statuses, up: 10, down: 4096 };
    const status: Status = {
      ...STATUS,
      requests: [{ ...request, latency: { p50: 0.4, p99: 1830 } }],
      certificates: [
        {
          source: "file",
          names: ["a.example", "b.example"],
          file: "/a.pem",
          issuer: "CN=ca",
          expires: at(60),
        },
        { source: "acme", names: ["soon.example"], file: "/b.pem", issuer: "CN=le", expires: at(3) },
        { source: "file", names: [], file: "/old.pem", issuer: "CN=ca", expires: at(-3) },
        { source: "acme", names: ["none.example"], file: "/c.pem", failure: "the authority refused" },
      ],
    };
    await withAdmin({ operations: { status: () => Promise.resolve(status) } }, async (admin) => {
      await using browser = await Browser.start();
      await browser.open(`http://127.0.0.1:${portOf(admin)}/`);
      await browser.until(`${SERVING} && document.querySelectorAll("#certificates tbody tr").length === 4`);
      const [row] = await browser.evaluate(rowsOf("by-route")) as string[][];
      equal(row.filter((_, at) => at !== 1), [
        ...["host=a.example", "2", "1,200", "0", "7", "1", "0.4 ms", "1.8 s", "10 B", "4.0 KiB"],
      ]);
      const rows = await browser.evaluate(rowsOf("certificates")) as string[][];
      equal(rows.map(([name, , left, from, state]) => [name, left, from, state]), [
        ["a.example, b.example", "60d 12h", "CN=ca", ""],
        ["soon.example", "3d 12h", "authority", ""],
        ["/old.pem", "expired", "CN=ca", ""],
        ["none.example", "–", "authority", "the authority refused"],
      ]);
      const red =
        `[...document.querySelectorAll("#certificates tr")].map((row) => row.querySelectorAll(".bad").length)`;
      equal(await browser.evaluate(red), [0, 0, 1, 1, 2]);
      for (const width of [1280, 390]) {
        await browser.look(width, 900, "light", width < 400);
        const wide = await browser.evaluate("document.documentElement.scrollWidth");
        ok(Number(wide) <= width, `${wide} of ${width}`);
      }
    });
  },
});

Deno.test({
  name: "nodes are shown while there are some, of very many the first ones, within a screen of any width",
  ignore: !need("chromium"),
  async fn() {
    let nodes = [nodeStatus({ since: Date.now() - 90_000 })];
    const operations = { nodes: () => Promise.resolve(nodes) };
    await withAdmin({ operations }, async (admin) => {
      await using browser = await Browser.start();
      await browser.open(`http://127.0.0.1:${portOf(admin)}/`);
      await browser.until(`${SERVING} && !document.getElementById("nodes").hidden`);
      const [row] = await browser.evaluate(rowsOf("reached")) as string[][];
      const names = "pi.mesh.example:22, pi.mesh.example:443";
      equal(row.filter((_, at) => at !== 4), [
        ...[names, "key:abcdefgh", "ssh key", "192.0.2.7:4711", "12.3 ms", "1", "17", "1.5 KiB", "39.1 KiB"],
      ]);
      for (const width of [1280, 390]) {
        await browser.look(width, 900, "light", width < 400);
        const wide = await browser.evaluate("document.documentElement.scrollWidth");
        ok(Number(wide) <= width, `${wide} of ${width}`);
      }
      nodes = Array.from({ length: 300 }, (_, id) => nodeStatus({ id }));
      await browser.until(`document.getElementById("nodes-shown").textContent === "200 of 300"`);
      nodes = [];
      await browser.until(`document.getElementById("nodes").hidden`);
    });
  },
});

Deno.test({
  name: "what is short is whole on a screen of any width: titles, times, protocols, addresses, names, sizes",
  ignore: !need("chromium"),
  async fn() {
    const short = {
      peer: "198.51.100.201:50001",
      target: "10.20.30.40:8443",
      serverName: "",
      user: undefined,
    };
    const connections = [
      liveConnection(1, { ...short, listener: "app", protocol: "socks" }),
      liveConnection(2, { ...short, listener: "app-frontend", protocol: "", stage: "sniffing" }),
    ];
    const operations = { connections: () => Promise.resolve({ total: 2, connections }) };
    await withAdmin({ operations }, async (admin) => {
      await using browser = await Browser.start();
      await browser.open(`http://127.0.0.1:${portOf(admin)}/`);
      await browser.until(`${SERVING} && document.querySelectorAll("#live td").length === 16`);
      for (const width of [1024, 1100, 1600]) {
        await browser.look(width, 900, "light");
        const cut = await browser.evaluate(`[...document.querySelectorAll("#live th, #live td")]
          .filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.textContent)`);
        equal(cut, [], String(width));
      }
    });
  },
});

Deno.test({
  name: "connections can be looked for, the looking can be paused, and a phone needs not scroll sideways",
  ignore: !need("chromium"),
  async fn() {
    const connections = [1, 2, 3].map((id) =>
      liveConnection(id, { peer: `192.0.2.${id}:5`, protocol: `p${id}` })
    );
    let asked = 0;
    const operations: Partial<Operations> = {
      connections: () => Promise.resolve((asked++, { total: 3, connections })),
    };
    await withAdmin({ operations }, async (admin) => {
      await using browser = await Browser.start();
      await browser.open(`http://127.0.0.1:${portOf(admin)}/`);
      await browser.until(SERVING);
      const live = async () =>
        (await browser.evaluate(rowsOf("live")) as string[][]).map(([, client]) => client);
      equal(await live(), ["192.0.2.1:5", "192.0.2.2:5", "192.0.2.3:5"]);
      await browser.evaluate(click("pause"));
      equal(await browser.evaluate(`document.getElementById("pause").getAttribute("aria-pressed")`), "true");
      await browser.evaluate(`(() => {
        document.dispatchEvent(new KeyboardEvent("keydown", { key: "/" }));
        document.activeElement.value = "P2 192.0";
        document.activeElement.dispatchEvent(new Event("input"));
      })()`);
      equal(await live(), ["192.0.2.2:5"]);
      const before = asked;
      for (const [width, phone] of [[1280, false], [390, true], [320, true]] as const) {
        for (const scheme of ["light", "dark"] as const) {
          await browser.look(width, 800, scheme, phone);
          const wide = await browser.evaluate("document.documentElement.scrollWidth");
          ok(Number(wide) <= width, `${wide} of ${width}`);
        }
      }
      equal(asked, before);
    });
  },
});
