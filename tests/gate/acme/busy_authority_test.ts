/** An authority that is busy, over HTTPS: what it says of when to come again reaches whoever asks it. */
import { AcmeAgent } from "../../../gate/acme/agent.ts";
import { OrderFailed, Orders } from "../../../gate/acme/orders.ts";
import { Kept } from "../../../gate/acme/kept.ts";
import { Scope } from "../../../gate/scope.ts";
import { equal, ok } from "../../support/assert.ts";
import { Authority } from "../../support/certificates.ts";
import { Folder } from "../../support/child.ts";

const authority = await Authority.make("busy");
const site = await authority.issue(["localhost", "127.0.0.1"]);
const worker = () =>
  new Worker(new URL("../../../gate/threads/acme.ts", import.meta.url), { type: "module" });
const publish = () => Promise.resolve();

/** An ACME directory where nobody gets an account: `answer` is what is said instead. Counts who asked for one. */
class BusyAuthority implements AsyncDisposable {
  asked = 0;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(answer: () => Response) {
    const tls = { cert: site.chain, key: site.key };
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, ...tls, onListen() {} }, (request) => {
      const { pathname } = new URL(request.url), at = (path: string) => `${this.#origin}${path}`;
      const nonce = { "replay-nonce": crypto.randomUUID().replaceAll("-", "") };
      if (pathname === "/dir") {
        return Response.json({ newNonce: at("/nonce"), newAccount: at("/account"), newOrder: at("/order") });
      }
      if (pathname === "/nonce") return new Response(null, { headers: nonce });
      this.asked++;
      const said = answer();
      for (const [name, value] of Object.entries(nonce)) said.headers.set(name, value);
      return said;
    });
  }

  get #origin(): string {
    return `https://127.0.0.1:${this.#server.addr.port}`;
  }

  get directory(): string {
    return `${this.#origin}/dir`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

const problem = (status: number, detail: string, retryAfter?: string) =>
  Response.json({ type: "urn:ietf:params:acme:error:rateLimited", detail }, {
    status,
    headers: { "content-type": "application/problem+json", ...retryAfter && { "retry-after": retryAfter } },
  });

const CASES:
  readonly (readonly [name: string, answer: () => Response, reason: RegExp, least: number, most: number])[] =
    [
      [
        "429 with seconds",
        () => problem(429, "too many accounts", "7200"),
        /too many accounts/,
        7_200_000,
        7_200_000,
      ],
      [
        "503 with a date",
        () => problem(503, "busy", new Date(Date.now() + 3_600_000).toUTCString()),
        ...[/busy/, 3_500_000, 3_600_000] as const,
      ],
      ["429 without a word", () => new Response("", { status: 429 }), /HTTP status 429/, NaN, NaN],
    ];

for (const [name, answer, reason, least, most] of CASES) {
  Deno.test(`${name}: the order fails at once, asks no more, and knows for how long`, async () => {
    await using folder = await Folder.make();
    await using busy = new BusyAuthority(answer);
    const accountKey = await new Kept(folder.path).accountKey(busy.directory);
    const orders = new Orders({ directory: busy.directory, roots: authority.root.chain, accountKey }, {
      worker,
      publish,
    });
    const failed = await orders.issue("a.example", "http-01").then(() => undefined, (thrown) => thrown);
    ok(failed instanceof OrderFailed && reason.test(failed.message), String(failed));
    const { retryAfter, unproven } = failed.why;
    equal(unproven, false);
    if (Number.isNaN(least)) equal(retryAfter, undefined);
    else ok(retryAfter! >= least && retryAfter! <= most, String(retryAfter));
    equal(busy.asked, 1);
  });
}

Deno.test("a gate leaves such an authority alone for as long as it says, and tells why", async () => {
  await using folder = await Folder.make();
  await using busy = new BusyAuthority(() => problem(429, "too many certificates of a.example", "86400"));
  const scope = new Scope(), said: string[] = [], told = Promise.withResolvers<void>();
  const agent = new AcmeAgent({
    ...{ state: folder.path, worker, publish, scope, changed: publish },
    say: ({ text }) => {
      said.push(text);
      told.resolve();
    },
  });
  const acme = { directory: busy.directory, names: ["a.example"], challenges: ["http-01" as const] };
  agent.hold(await agent.prepare(acme, authority.root.chain));
  await told.promise;
  const [{ next, failure }] = agent.states, hours = (next! - Date.now()) / 3_600_000;
  ok(
    hours > 23.9 && hours <= 24 && failure?.includes("too many certificates of a.example"),
    `${hours} ${failure}`,
  );
  ok(said[0].endsWith("; again in 1440 min"), said[0]);
  agent.hold(await agent.prepare(acme, authority.root.chain)); // as a reload does
  equal(busy.asked, 1);
  agent.stop();
  equal(await scope.close(1000), []);
});
