import { liveAgreements } from "../../../gate/engine/openssl_agreement.ts";
import { liveCiphers } from "../../../gate/engine/openssl_ciphers.ts";
import { equal, ok } from "../../support/assert.ts";
import { onLoop } from "../../support/on_loop.ts";
import { Bridge } from "../../support/ssh_transport.ts";

Deno.test("a client and a server come to a service", () =>
  onLoop(async () => {
    const bridge = new Bridge();
    ok(await bridge.secure());
    console.log(
      bridge.client.above.facts,
      bridge.server.above.facts?.version,
      bridge.server.above.broken,
      bridge.client.above.broken,
    );
    equal(bridge.client.above.facts!.session, bridge.server.above.facts!.session);
    bridge.close();
    equal([liveCiphers.count, liveAgreements.count], [0, 0]);
  }));
