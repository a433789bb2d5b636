/** An engine thread that dies under connections of SSH that have names: the names are free, and nothing stays open. */
import { need } from "../../scripts/clients.ts";
import { openssl } from "../../gate/engine/openssl_library.ts";
import { equal, ok } from "../support/assert.ts";
import { connect } from "../support/net.ts";
import { processState, settled } from "../support/process_state.ts";
import { DOMAIN, makeKey, SshGate } from "../support/ssh_gate.ts";
import type { MadeKey } from "../support/ssh_keygen.ts";
import { DEATH } from "../support/toy_death.ts";

openssl(); // stays loaded

const NAME = `pi.${DOMAIN}`, PORT = 8080, ROUNDS = 3;
const GRANTED = /remote forward success/, REFUSED = /remote forward failure|forwarding failed/;
/** Threads and clients that end have so long to close what they have, ms. */
const QUIET_TIME = 10_000;

const permitted = ({ line }: MadeKey): string => `permitlisten="${NAME}:${PORT}" ${line}`;
const asked = ["-R", `${NAME}:${PORT}:127.0.0.1:9`];

async function kill(gate: SshGate): Promise<void> {
  await using client = await connect(gate.gate.port("deadly"));
  await client.write(DEATH);
  await client.readAll().catch(() => {}); // closed with all that the thread had
}

Deno.test({
  name: "names of an engine that died are anybody's at once, and no descriptor of their connections stays",
  ignore: !need("ssh"),
  async fn() {
    const keys = [await makeKey(), await makeKey()];
    await using gate = await SshGate.start({
      lines: keys.map(permitted),
      listeners: [`deadly: { address: "127.0.0.1:0", protocols: [death, ssh] }`],
    });
    {
      await using first = await gate.stay(keys[1], asked, GRANTED);
      ok(first.stderr.length > 0);
    }
    const before = await settled(Deno.pid, () => false, 1000);
    for (let round = 0; round < ROUNDS; round++) {
      const [mine, other] = round % 2 ? keys : keys.toReversed();
      await using owner = await gate.stay(mine, asked, GRANTED);
      await using _refused = await gate.stay(other, asked, REFUSED);
      await kill(gate);
      await owner.exit(QUIET_TIME);
      await using _heir = await gate.stay(other, asked, GRANTED);
    }
    const rests = (state = processState(Deno.pid)) =>
      state.sockets <= before.sockets && state.others <= before.others;
    const { sockets, others } = await settled(Deno.pid, rests, QUIET_TIME);
    equal([sockets <= before.sockets, others <= before.others], [true, true], `${sockets} ${others}`);
  },
});
