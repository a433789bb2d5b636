/** When certificates are ordered, renewed and tried again; a thread of the test stands for the authority. */
import * as x509 from "@peculiar/x509";
import { AcmeAgent } from "../../../gate/acme/agent.ts";
import type { IssuedPair } from "../../../gate/acme/messages.ts";
import { renewalTime } from "../../../gate/acme/schedule.ts";
import type { AcmeConfiguration } from "../../../gate/config/configuration.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import type { Message } from "../../../gate/log.ts";
import { Scope } from "../../../gate/scope.ts";
import { AcmeThreads } from "../../support/acme_thread.ts";
import { equal, ok } from "../../support/assert.ts";
import { Authority } from "../../support/certificates.ts";
import { Folder } from "../../support/child.ts";

openssl(); // stays loaded
const authority = await Authority.make("agent");
const DIRECTORY = "https://ca.example/dir";
const MINUTE = 60_000, HOUR = 60 * MINUTE;

/** An agent with a state directory, and what it said and changed. */
class Stage implements AsyncDisposable {
  readonly threads = new AcmeThreads();
  readonly said: Message[] = [];
  changes = 0;
  readonly scope = new Scope();
  readonly agent: AcmeAgent;
  #wake = Promise.withResolvers<void>();

  constructor(readonly folder: Folder, readonly state = `${folder.path}/state`) {
    this.agent = new AcmeAgent({
      state,
      worker: this.threads.worker,
      publish: () => Promise.resolve(),
      changed: () => Promise.resolve(void this.changes++),
      say: (message) => {
        this.said.push(message);
        this.#wake.resolve();
        this.#wake = Promise.withResolvers();
      },
      scope: this.scope,
    });
  }

  async hold(names: readonly string[], more: Partial<AcmeConfiguration> = {}): Promise<void> {
    const acme: AcmeConfiguration = {
      ...{ directory: DIRECTORY, names, challenges: ["tls-alpn-01", "http-01"] },
      ...more,
    };
    this.agent.hold(await this.agent.prepare(acme, undefined));
  }

  /** Until so much was said. */
  async until(messages: number): Promise<readonly string[]> {
    while (this.said.length < messages) await this.#wake.promise;
    return this.said.map(({ level, text }) => `${level}: ${text}`);
  }

  of(name: string) {
    return this.agent.states.find((state) => state.name === name)!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.agent.stop();
    await this.scope.close(1000);
    equal(this.threads.running, 0);
  }
}

/** A certificate with a time of its own. */
async function madeFor(name: string, from: number, to: number): Promise<IssuedPair> {
  const signingAlgorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(signingAlgorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...{ serialNumber: "01", name: `CN=${name}`, signingAlgorithm, keys },
    ...{ notBefore: new Date(from), notAfter: new Date(to) },
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: "dns", value: name }])],
  });
  const key = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { chain: certificate.toString("pem"), key: x509.PemConverter.encode(key, "PRIVATE KEY") };
}

/** Whether that lies so far from now, ms. */
const isIn = (at: number | undefined, from: number, to: number): boolean =>
  at !== undefined && at - Date.now() > from - MINUTE && at - Date.now() < to + MINUTE;

Deno.test("each name has an order and a certificate of its own; what is kept is for this user alone, and ordered once", async () => {
  await using folder = await Folder.make();
  {
    await using stage = new Stage(folder);
    await stage.hold(["a.example", "b.example"]);
    equal([stage.of("a.example").issued, stage.of("a.example").next], [undefined, undefined]);
    for (let i = 0; i < 2; i++) {
      const order = await stage.threads.next();
      equal(order.challenge, "tls-alpn-01");
      order.issue(await authority.issue([order.name]));
    }
    const said = await stage.until(2);
    ok(
      said.every((text) => /^info: certificate of [ab]\.example issued by ca\.example, until 20/.test(text)),
      said.join(),
    );
    equal([stage.changes, stage.agent.counts], [2, { issued: 2, failed: 0 }]);
    for (const name of ["a.example", "b.example"]) {
      const { issued, next, failure, file } = stage.of(name);
      equal([next, failure], [renewalTime(issued!.facts), undefined]);
      const modes = [file, file.replace(/\/[^/]*$/, ""), `${stage.state}/acme`].map((path) =>
        Deno.statSync(path).mode! & 0o777
      );
      equal(modes, [0o600, 0o700, 0o700]);
    }
    ok(stage.of("a.example").next !== stage.of("b.example").next); // not both at once
  }
  await using again = new Stage(folder);
  await again.hold(["a.example", "b.example"]);
  ok(again.agent.states.every(({ issued, next }) => issued && next! > Date.now()));
  equal([again.threads.orders.length, again.said], [0, []]);
});

Deno.test("a name that gets none takes no other down: the other challenge at once, then pauses that grow", async () => {
  await using folder = await Folder.make();
  await using stage = new Stage(folder);
  await stage.hold(["bad.example", "good.example"]);
  const [first, second] = [await stage.threads.next(), await stage.threads.next()];
  equal([first.name, second.name], ["bad.example", "good.example"]);
  first.fail("tls-alpn-01: nobody listens", { unproven: true });
  const other = await stage.threads.next();
  equal([other.name, other.challenge], ["bad.example", "http-01"]);
  second.issue(await authority.issue(["good.example"]));
  other.fail("http-01: nobody listens either", { unproven: true });
  const said = await stage.until(3);
  ok(
    said.includes(
      "warn: Cannot get a certificate of bad.example: tls-alpn-01: nobody listens; another challenge is tried",
    ),
  );
  ok(
    said.some((text) => /bad\.example: http-01: nobody listens either; again in [45] min$/.test(text)),
    said.join("\n"),
  );
  const bad = stage.of("bad.example");
  ok(isIn(bad.next, 3.75 * MINUTE, 5 * MINUTE) && bad.issued === undefined, JSON.stringify(bad));
  equal(bad.failure, "http-01: nobody listens either");
  equal(stage.of("good.example").failure, undefined);
  ok(stage.of("good.example").issued);
  equal(stage.agent.counts, { issued: 1, failed: 2 });
});

Deno.test("an authority that wants to be left alone is, for as long as it says", async () => {
  await using folder = await Folder.make();
  await using stage = new Stage(folder);
  await stage.hold(["a.example"]);
  (await stage.threads.next()).fail("too many certificates", { retryAfter: 6 * HOUR });
  const [said] = await stage.until(1);
  ok(isIn(stage.of("a.example").next, 6 * HOUR, 6 * HOUR), said);
  ok(said.endsWith("a.example: too many certificates; again in 360 min"), said);
});

Deno.test("what is due is renewed, and while that fails the one before goes on", async () => {
  await using folder = await Folder.make();
  const now = Date.now(), short = await madeFor("a.example", now, now + 24 * HOUR);
  {
    await using stage = new Stage(folder);
    await stage.hold(["a.example"]);
    (await stage.threads.next()).issue(short);
    await stage.until(1);
    ok(isIn(stage.of("a.example").next, 14 * HOUR, 16 * HOUR));
  }
  const old = await madeFor("a.example", now - 29 * 24 * HOUR, now + 24 * HOUR);
  const path = `${folder.path}/state/acme/certificates/a.example.pem`;
  const text = await Deno.readTextFile(path);
  await Deno.writeTextFile(
    path,
    `${text.split("\n").slice(0, 2).join("\n")}\n${old.chain.trim()}\n${old.key.trim()}\n`,
  );
  await using stage = new Stage(folder);
  await stage.hold(["a.example"]);
  const before = stage.of("a.example").issued!.facts.fingerprint;
  (await stage.threads.next()).fail("no room");
  const [failed] = await stage.until(1);
  ok(
    /Cannot get a certificate of a\.example: no room; again in [45] min; the one until .* goes on$/.test(
      failed,
    ),
    failed,
  );
  equal(stage.of("a.example").issued!.facts.fingerprint, before);
  await stage.hold(["a.example"]); // a reload is no reason to ask earlier
  equal(stage.threads.orders.length, 1);
  await stage.hold(["a.example"], { directory: "https://other.example/dir" }); // another authority is
  const renewal = await stage.threads.next();
  equal(stage.threads.directories, [DIRECTORY, "https://other.example/dir"]);
  renewal.issue(await authority.issue(["a.example"]));
  const [, renewed] = await stage.until(2);
  ok(/^info: certificate of a\.example renewed by other\.example/.test(renewed), renewed);
  ok(stage.of("a.example").issued!.facts.fingerprint !== before);
});

Deno.test("a certificate of another name, and a file that is damaged, are of no use: the name is ordered", async () => {
  await using folder = await Folder.make();
  await Deno.mkdir(`${folder.path}/state/acme/certificates`, { recursive: true });
  const path = await folder.write("state/acme/certificates/a.example.pem", "# ugate acme 1\n", 0o600);
  await using stage = new Stage(folder);
  await stage.hold(["a.example"]);
  ok((await stage.until(1))[0].startsWith("warn: the certificate of a.example that was kept is of no use"));
  (await stage.threads.next()).issue(await authority.issue(["b.example"]));
  ok((await stage.until(2))[1].includes("Cannot use a certificate: it is not for a.example"));
  equal(stage.of("a.example").issued, undefined);
  equal(await Deno.readTextFile(path), "# ugate acme 1\n");
});

Deno.test("of many names a few are ordered at a time, and the rest behind them", async () => {
  await using folder = await Folder.make();
  await using stage = new Stage(folder);
  const names = Array.from({ length: 9 }, (_, i) => `n${i}.example`);
  await stage.hold(names);
  const first = [];
  for (let i = 0; i < 4; i++) first.push(await stage.threads.next());
  equal(stage.threads.orders.length, 4);
  for (const order of first) order.fail("no");
  const rest = [];
  for (let i = 0; i < 5; i++) {
    const order = await stage.threads.next();
    rest.push(order.name);
    order.issue(await authority.issue([order.name]));
  }
  equal([...first.map(({ name }) => name), ...rest], names);
  await stage.until(9);
  equal(stage.agent.counts, { issued: 5, failed: 4 });
});

Deno.test("who stops begins nothing more, and a name that is wanted no more is nobody's business", async () => {
  await using folder = await Folder.make();
  await using stage = new Stage(folder);
  await stage.hold(["a.example", "b.example"]);
  const [a, b] = [await stage.threads.next(), await stage.threads.next()];
  await stage.hold(["b.example"]);
  a.issue(await authority.issue(["a.example"]));
  b.issue(await authority.issue(["b.example"]));
  equal((await stage.until(1)).length, 1);
  equal(stage.agent.states.map(({ name }) => name), ["b.example"]);
  await stage.hold(["b.example", "c.example"]);
  const c = await stage.threads.next();
  stage.agent.stop();
  c.fail("late");
  equal([stage.said.length, stage.threads.orders.length], [1, 3]);
});

Deno.test("where nothing can be kept the certificate is served all the same, and told of", async () => {
  await using folder = await Folder.make();
  await Deno.mkdir(`${folder.path}/state/acme`, { recursive: true });
  await folder.write("state/acme/certificates", "no directory");
  await using stage = new Stage(folder);
  await stage.hold(["a.example"]);
  (await stage.threads.next()).issue(await authority.issue(["a.example"]));
  const said = await stage.until(3);
  ok(
    /^warn: Cannot write .*a\.example\.pem: .*; a restart will order it again$/.test(said[1]),
    said.join("\n"),
  );
  ok(said[2].startsWith("info: certificate of a.example issued"), said[2]);
  ok(stage.of("a.example").issued && stage.changes === 1);
});
