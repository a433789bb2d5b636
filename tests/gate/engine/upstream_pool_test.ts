import type { Socket } from "../../../gate/engine/socket.ts";
import { PooledUpstream, UpstreamPool } from "../../../gate/engine/upstream_pool.ts";
import type { Stream } from "../../../gate/streams.ts";
import { equal, ok } from "../../support/assert.ts";
import { onLoop } from "../../support/on_loop.ts";
import { SUBJECTS } from "../../support/stream_pairs.ts";

const pooled = (stream: Stream, kind = "a") => new PooledUpstream(kind, stream, undefined, "", false);

Deno.test("what an upstream says between two messages is seen before the loop tells of it: it is used by nobody", () =>
  onLoop(async () => {
    for (const farewell of ["HTTP/1.1 200 OK\r\n\r\n", undefined]) {
      const pool = new UpstreamPool(), [peer, socket] = await SUBJECTS.TCP.pair();
      pool.keep(pooled(socket));
      const kept = pool.take("a");
      equal(kept?.stream, socket);
      pool.keep(kept!);
      if (farewell) await peer.write(new TextEncoder().encode(farewell)); // no turn of the loop follows
      else await peer.closeWrite();
      equal(pool.take("a"), undefined);
      equal([pool.size, (socket as Socket).fd], [0, -1]);
      peer[Symbol.dispose]();
    }
  }));

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
