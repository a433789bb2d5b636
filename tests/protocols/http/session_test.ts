/** The time that a request has for its answer, on a connection that has had others before. */
import { now } from "../../../gate/engine/loop.ts";
import { GateError } from "../../../gate/errors.ts";
import { mayRepeat } from "../../../protocols/http/retries.ts";
import { Session } from "../../../protocols/http/session.ts";
import { parseRequest } from "../../../protocols/http/parse_head.ts";
import { MessageHead } from "../../../protocols/http/message_head.ts";
import { equal } from "../../support/assert.ts";
import { fakeConn, FakeGate } from "../../support/fake_gate.ts";
import { memoryPair } from "../../support/memory_stream.ts";

const ROUTED = { place: "", http: { timeout: 1000, retries: { attempts: 1, on: [503] as const } } };

function begin({ exchange }: Session): void {
  const head = new MessageHead(), bytes = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  parseRequest(head, bytes, 0, bytes.length, bytes.length, 0);
  exchange.begin(head, bytes);
  exchange.routed = ROUTED;
}

Deno.test("the time for an answer is each request's own, also of one that is answered before it is all sent", () => {
  const [client] = memoryPair(), conn = fakeConn(client), session = new Session(conn, new FakeGate());
  begin(session);
  session.awaitResponse();
  session.exchange.until = now - 1; // it took all of its time
  session.repeat = { bytes: new Uint8Array(1), size: 1 };
  equal(mayRepeat(session, 503), false);
  begin(session);
  equal(mayRepeat(session, 503), true);
  session.awaitResponse(true);
  equal([session.until - now, conn.deadlines.at(-1)!].map(Math.round), [1000, 1000]);
  client.abort(new GateError("closed", "gate", "the end"));
});
