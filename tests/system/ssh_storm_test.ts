/** Nodes that lose their gate together: all come back at once, each to its own name, and the gate is as it was. */
import { openssl } from "../../gate/engine/openssl_library.ts";
import { equal, ok } from "../support/assert.ts";
import { Folder } from "../support/child.ts";
import { Storm } from "../support/ssh_storm.ts";

openssl(); // stays loaded

/** UGATE_STORM_NODES=1000 is the storm that a gate has to stand; here are as many as the suite has time for. */
const NODES = Number(Deno.env.get("UGATE_STORM_NODES") ?? 100);
/** ms until all are back. */
const BACK_TIME = 90_000;
/** What a second gate may hold beyond the first one, and lines of a node: its connection, its visit, the end of both. */
const MOST_MEMORY = 64 << 20, MOST_LINES = 5, OWN_LINES = 60;

for (const threads of [1, 2]) {
  Deno.test(`${NODES} nodes come back to a gate that restarts, each to its own name, on ${threads} engines`, async () => {
    await using folder = await Folder.make();
    await using storm = await Storm.make(folder, NODES, threads);
    await storm.startGate();
    storm.startCrew();
    await storm.whole(BACK_TIME);
    equal(await storm.wrong(), []);
    const before = storm.state, { code, lines } = await storm.stopGate();
    equal(code, 0);
    ok(lines <= NODES * MOST_LINES + OWN_LINES, `${lines} lines of ${NODES} nodes`);
    await storm.startGate();
    const idle = storm.state.sockets;
    await storm.whole(BACK_TIME);
    equal(await storm.wrong(), []);
    const after = storm.state;
    ok(after.memory < before.memory + MOST_MEMORY, `${after.memory} bytes, before ${before.memory}`);
    await storm.endCrew();
    const { sockets } = await storm.rests(idle);
    ok(sockets <= idle, `${sockets} sockets are open, of an idle gate ${idle}`);
    equal(storm.faults, []);
  });
}
