import { liveContexts, serverContext } from "../../gate/engine/openssl_context.ts";
import type { CertificateRule, ListenerRules } from "../../gate/snapshot.ts";
import { nextTicketKeys } from "../../gate/ticket_keys.ts";
import { ANYTHING, TlsContexts } from "../../gate/tls_contexts.ts";
import { equal } from "../support/assert.ts";
import { Authority } from "../support/certificates.ts";
import { onLoop, pause } from "../support/on_loop.ts";
import { snapshotOf } from "../support/rules.ts";

const authority = await Authority.make("contexts"), { chain, key } = await authority.issue(["a.example"]);
const certificates: readonly CertificateRule[] = Array.from({ length: 100 }, (_, i) => ({
  ...{ chain, key, names: [`${i}.example`], place: `certificates[${i}]`, digest: `${i}`, notAfter: 0 },
}));
const routes = [{ tls: "terminate" as const }];
const listeners = { one: {} as ListenerRules };
serverContext({ keyPair: { chain, key }, alpn: [], scope: "" })[Symbol.dispose](); // the library stays: not in a test

/** All that is to be done ahead has been done: nothing more is made. */
async function settled(): Promise<number> {
  for (let count = -1; count !== liveContexts.count;) {
    count = liveContexts.count;
    for (let turn = 0; turn < 20; turn++) await pause(0);
  }
  return liveContexts.count;
}

Deno.test("contexts are there before a connection needs them, others when it does, and go with their certificate", () =>
  onLoop(async () => {
    const contexts = new TlsContexts(nextTicketKeys()), before = liveContexts.count;
    const [first, second] = certificates,
      last = certificates[99],
      pending = { ...second, pending: true as const };
    contexts.keep(snapshotOf({ certificates: [first, pending], routes, listeners }));
    equal(await settled() - before, 1);
    const made = contexts.of(first, undefined, ANYTHING);
    equal(liveContexts.count - before, 1);
    contexts.keep(snapshotOf({ certificates, routes, listeners }));
    equal(await settled() - before, 64);
    equal(contexts.of(first, undefined, ANYTHING) === made, true);
    contexts.of(last, undefined, ANYTHING);
    equal(liveContexts.count - before, 65);
    contexts.keep(snapshotOf({ certificates: [last], routes, listeners }));
    equal(await settled() - before, 1);
    contexts.keep(snapshotOf({}));
    equal(await settled() - before, 0);
  }));
