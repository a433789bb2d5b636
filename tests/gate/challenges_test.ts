import { NO_CHALLENGES } from "../../gate/acme/pending.ts";
import { Challenges } from "../../gate/challenges.ts";
import type { Connection } from "../../gate/connection.ts";
import { liveContexts, serverContext } from "../../gate/engine/openssl_context.ts";
import { Authority } from "../support/certificates.ts";
import { equal, ok, throws } from "../support/assert.ts";

const authority = await Authority.make("challenges");
const pair = await authority.issue(["a.example"]);
serverContext({ keyPair: pair, alpn: ["x"], scope: "" })[Symbol.dispose](); // libssl and its callback stay

/** As much of a connection as is asked for. */
const asking = (serverName?: string, alpn?: string) =>
  ({ peer: { serverName, alpn }, route: "" }) as Connection;

Deno.test("a path is answered while its token is pending, and no other path ever", () => {
  const challenges = new Challenges(), conn = asking();
  equal([challenges.byPath, challenges.text("/.well-known/acme-challenge/t", conn)], [false, undefined]);
  challenges.replace({ http: [{ token: "t", text: "t.print" }], tls: [] });
  equal(challenges.byPath, true);
  for (
    const path of ["/", "/.well-known/acme-challenge/", "/.well-known/acme-challenge/T", "/t", "/x/../t"]
  ) {
    equal([challenges.text(path, conn), conn.route], [undefined, ""]);
  }
  equal([challenges.text("/.well-known/acme-challenge/t", conn), conn.route], ["t.print", "acme"]);
  challenges.replace(NO_CHALLENGES);
  equal(challenges.text("/.well-known/acme-challenge/t", conn), undefined);
});

Deno.test("only who offers acme-tls/1 alone and gives a pending name sees its certificate; then it is freed", () => {
  const challenges = new Challenges(), before = liveContexts.count;
  challenges.replace({ http: [], tls: [{ name: "a.example", keyPair: pair }] });
  equal(challenges.byPath, false);
  for (
    const conn of [
      asking("a.example"),
      asking("a.example", "h2,acme-tls/1"),
      asking("a.example", "acme-tls/1,http/1.1"),
      asking("b.example", "acme-tls/1"),
      asking(undefined, "acme-tls/1"),
    ]
  ) equal([challenges.termination(conn), conn.route], [undefined, ""]);
  equal(liveContexts.count, before);
  const first = challenges.termination(asking("a.example", "acme-tls/1"));
  const second = challenges.termination(asking("a.example", "acme-tls/1"));
  ok(first && first.inside === "nothing" && first.context() === second?.context());
  equal(liveContexts.count, before + 1);
  challenges.replace(NO_CHALLENGES);
  equal(liveContexts.count, before);
});

Deno.test("who is between his hello and its answer has it, though another name becomes pending meanwhile", () => {
  const challenges = new Challenges(),
    before = liveContexts.count,
    one = { name: "a.example", keyPair: pair };
  challenges.replace({ http: [], tls: [one] });
  const asked = challenges.termination(asking("a.example", "acme-tls/1"))!;
  // Main tells all that is pending anew, as copies.
  challenges.replace({ http: [], tls: [structuredClone(one), { name: "b.example", keyPair: pair }] });
  ok(asked.context() === challenges.termination(asking("a.example", "acme-tls/1"))!.context());
  challenges.replace(NO_CHALLENGES);
  throws(() => asked.context(), /it is over/);
  equal(liveContexts.count, before);
});
