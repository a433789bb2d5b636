import { PooledUpstream, UpstreamPool } from "../../../gate/engine/upstream_pool.ts";
import type { Stream } from "../../../gate/streams.ts";
import { equal, ok } from "../../support/assert.ts";
import { onLoop } from "../../support/on_loop.ts";
import { tlsOver } from "../../support/tls_pairs.ts";
import { SUBJECTS } from "../../support/stream_pairs.ts";

const pooled = (stream: Stream, kind = "a") => new PooledUpstream(kind, stream, undefined, "", false);

const PAIRS = { "in clear": SUBJECTS.TCP.pair, "over TLS": () => tlsOver(SUBJECTS.TCP.pair) };
for (const [way, pair] of Object.entries(PAIRS)) {
  Deno.test(`${way}: what an upstream says between two messages is seen before the loop tells of it`, () =>
    onLoop(async () => {
      for (const farewell of [new Uint8Array(40_000), undefined]) { // TLS gathers what is less until the turn's end
        const pool = new UpstreamPool(), [stream, peer] = await pair();
        peer.write(new Uint8Array(1)); // behind a ticket, over TLS
        await stream.read(new Uint8Array(1));
        pool.keep(pooled(stream));
        const kept = pool.take("a");
        equal(kept?.stream, stream);
        pool.keep(kept!);
        if (farewell) peer.write(farewell); // no turn of the loop follows
        else peer.closeWrite();
        equal([pool.take("a"), pool.size], [undefined, 0]);
        peer[Symbol.dispose]();
      }
    }));
}

Deno.test("kinds that are gone are forgotten, those of which one is idle are not", () =>
  onLoop(async () => {
    const pool = new UpstreamPool(), [peer, stream] = await SUBJECTS.TCP.pair();
    const [otherPeer, other] = await SUBJECTS.TCP.pair();
    pool.keep(pooled(other, "stays"));
    for (let i = 0; i < 1000; i++) {
      const one = pooled(stream, `kind ${i}`);
      pool.keep(one);
      equal(pool.take(one.kind), one);
      one.leavePool();
    }
    ok(pool.kinds < 100, `${pool.kinds} kinds`);
    equal(pool.take("stays")?.stream, other);
    for (const each of [peer, stream, otherPeer, other]) each[Symbol.dispose]();
  }));
