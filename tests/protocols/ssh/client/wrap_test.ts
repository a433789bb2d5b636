/** Streams through a gate: one connection for all of them, whoever begins it, and whatever becomes of it. */
import { createPrivateKey } from "node:crypto";
import fc from "fast-check";
import { GateError } from "../../../../gate/errors.ts";
import { openssl } from "../../../../gate/engine/openssl_library.ts";
import { after } from "../../../../gate/engine/loop.ts";
import { liveCiphers } from "../../../../gate/engine/openssl_ciphers.ts";
import { keyName } from "../../../../gate/identity/identity.ts";
import type { Joint, Room, Stream } from "../../../../gate/streams.ts";
import type { Opening } from "../../../../protocols/ssh/channels/opening.ts";
import { SshClient } from "../../../../protocols/ssh/client/wrap.ts";
import { keyId, type PublicKey, readPublicKey } from "../../../../protocols/ssh/keys/public_key.ts";
import { SHORTAGE } from "../../../../protocols/ssh/numbers.ts";
import { equal, ok } from "../../../support/assert.ts";
import { onLoop, pause } from "../../../support/on_loop.ts";
import { behind, type Client, client, echo, ToyServer } from "../../../support/ssh_server.ts";
import { makeHostKey } from "../../../support/ssh_transport.ts";

openssl(); // the library stays: no test is to be blamed for it

const made = makeHostKey("ecdsa-sha2-nistp256");
const KEY = {
  name: "a key",
  pkcs8: Uint8Array.from(createPrivateKey(made.pem).export({ type: "pkcs8", format: "der" })),
};

const GONE = new GateError("closed", "client", "Cannot connect: the client is gone");

/** What comes back of what is sent. */
async function echoed(stream: Stream, text: string): Promise<string> {
  await stream.write(new TextEncoder().encode(text));
  await stream.closeWrite();
  const bytes = new Uint8Array(text.length + 1);
  let got = 0;
  for (let size; (size = await stream.read(bytes.subarray(got))) !== null;) got += size;
  stream[Symbol.dispose]();
  return new TextDecoder().decode(bytes.subarray(0, got));
}

const failure = async (promise: Promise<unknown>): Promise<GateError> => {
  try {
    await promise;
  } catch (thrown) {
    return thrown as GateError;
  }
  throw new Error("it did not fail");
};

/** All sentences of it. */
const told = ({ message, cause }: GateError): string =>
  cause instanceof GateError ? `${message}: ${told(cause)}` : message;

/** A client that is closed behind the work. */
const withClient = (work: (ssh: SshClient) => Promise<void>, idle?: number) =>
  onLoop(async () => {
    const ssh = new SshClient(idle);
    try {
      await work(ssh);
    } finally {
      ssh.close();
      await pause(20);
    }
    equal(liveCiphers.count, 0);
  });

Deno.test("streams that begin at once share one handshake, and those that come later its connection", () =>
  withClient(async (ssh) => {
    const server = new ToyServer(), endpoint = behind({ identity: server.identity });
    const open = () => ssh.wrap(endpoint, server.lower, client([KEY]));
    const streams = await Promise.all(Array.from({ length: 20 }, open));
    const texts = await Promise.all(streams.map((stream, i) => echoed(stream, `text ${i}`)));
    equal(texts, texts.map((_, i) => `text ${i}`));
    equal(await echoed(await open(), "later"), "later");
    equal([server.dials, server.logins], [1, 1]);
    const other = await ssh.wrap({ ...endpoint, user: "other" }, server.lower, client([KEY]));
    equal([await echoed(other, "other"), server.dials], ["other", 2]);
    const otherKeys = await ssh.wrap(endpoint, server.lower, { ...client([KEY]), keys: "changed" });
    equal([await echoed(otherKeys, "keys"), server.dials], ["keys", 3]);
  }));

Deno.test("a connection that breaks takes its streams with it, and another one takes its place", () =>
  withClient(async (ssh) => {
    const server = new ToyServer(), endpoint = behind({ identity: server.identity });
    const open = () => ssh.wrap(endpoint, server.lower, client([KEY]));
    const stream = await open();
    server.transports[0].abort(new GateError("reset", "client", "Cannot go on: the test says so"));
    const reason = await failure(stream.read(new Uint8Array(1)));
    equal(reason.side, "upstream");
    equal(await echoed(await open(), "again"), "again");
    server.transports[1].disconnect(11, "restarts");
    await pause(20);
    equal(await echoed(await open(), "and again"), "and again");
    equal(server.dials, 3);
  }));

Deno.test("where the client who dialed goes away, the next one dials for all others", () =>
  withClient(async (ssh) => {
    const server = new ToyServer(), endpoint = behind({ identity: server.identity });
    const dialing = Promise.withResolvers<Stream>();
    const first = failure(ssh.wrap(endpoint, () => dialing.promise, client([KEY])));
    const others = Array.from({ length: 5 }, () => ssh.wrap(endpoint, server.lower, client([KEY])));
    await pause(20);
    dialing.reject(GONE);
    equal(await first, GONE);
    const texts = await Promise.all(others.map(async (other, i) => await echoed(await other, `text ${i}`)));
    equal([texts.length, server.dials], [5, 1]);
  }));

Deno.test("who gives up during the handshake leaves it to others", () =>
  withClient(async (ssh) => {
    const server = new ToyServer(), endpoint = behind({ identity: server.identity }), hasty = client([KEY]);
    const gaveUp = failure(ssh.wrap(endpoint, server.lower, hasty));
    const waits = ssh.wrap(endpoint, server.lower, client([KEY]));
    hasty.abort(GONE);
    equal(await gaveUp, GONE);
    equal([await echoed(await waits, "text"), server.dials], ["text", 1]);
  }));

Deno.test("a channel that is never confirmed is given up with its client, and others open meanwhile", () =>
  withClient(async (ssh) => {
    const held: Opening[] = [];
    const opens = (opening: Opening) =>
      opening.from.text() === "nowhere.test" ? void held.push(opening) : echo(opening);
    const server = new ToyServer({ opens }), endpoint = behind({ identity: server.identity });
    const waiting = client([KEY]), nowhere = { ...endpoint, address: { host: "nowhere.test", port: 1 } };
    const gaveUp = failure(ssh.wrap(nowhere, server.lower, waiting));
    equal(await echoed(await ssh.wrap(endpoint, server.lower, client([KEY])), "meanwhile"), "meanwhile");
    const late = new GateError("timeout", "upstream", "Cannot connect: no answer in time");
    waiting.abort(late);
    equal(await gaveUp, late);
    const ended = Promise.withResolvers<void>();
    held[0].accept({ closed: () => ended.resolve() }); // too late: it is closed at once
    await ended.promise;
    equal(await echoed(await ssh.wrap(endpoint, server.lower, client([KEY])), "then"), "then");
    equal(server.dials, 1);
  }));

Deno.test("a server without places gets no more streams, and another connection takes them", () =>
  withClient(async (ssh) => {
    let places = 3;
    const opens = (opening: Opening) => places-- > 0 ? echo(opening) : opening.refuse(SHORTAGE, "no place");
    const server = new ToyServer({ opens }), endpoint = behind({ identity: server.identity });
    const open = () => ssh.wrap(endpoint, server.lower, client([KEY]));
    const streams = [await open(), await open(), await open()];
    const refused = failure(open());
    equal([(await refused).failure, server.dials], ["exhausted", 2]);
    places = 3;
    equal(await echoed(await open(), "with places"), "with places");
    equal(
      await Promise.all(streams.map((stream) => echoed(stream, "goes on"))),
      streams.map(() => "goes on"),
    );
    equal(server.dials, 3);
  }));

Deno.test("more streams than a connection carries make another one", () =>
  withClient(async (ssh) => {
    const server = new ToyServer(), endpoint = behind({ identity: server.identity });
    const open = () => ssh.wrap(endpoint, server.lower, client([KEY]));
    await open();
    const streams = await Promise.all(Array.from({ length: 300 }, open));
    equal(server.dials, 2);
    equal(await echoed(streams[299], "the last"), "the last");
  }));

Deno.test("a connection that nobody uses ends in time, and not while somebody does", () =>
  withClient(async (ssh) => {
    const server = new ToyServer(), endpoint = behind({ identity: server.identity });
    const stream = await ssh.wrap(endpoint, server.lower, client([KEY]));
    await pause(150);
    equal(server.transports[0].isOver, false);
    equal(await echoed(stream, "still there"), "still there");
    for (let waited = 0; !server.transports[0].isOver && waited < 3000; waited += 10) await pause(10);
    equal(server.transports[0].isOver, true);
    equal(await echoed(await ssh.wrap(endpoint, server.lower, client([KEY])), "anew"), "anew");
    equal(server.dials, 2);
  }, 50));

Deno.test("names, unix sockets and addresses are asked for as the RFCs have it, and who asks is not told", () =>
  withClient(async (ssh) => {
    const asked: unknown[] = [];
    const opens = (opening: Opening) => {
      const { type, from } = opening, host = from.text(), isTcp = type === "direct-tcpip";
      asked.push(isTcp ? [type, host, from.uint32(), from.text(), from.uint32()] : [type, host]);
      opening.refuse(2, "Connection refused");
    };
    const server = new ToyServer({ opens }), endpoint = behind({ identity: server.identity });
    const reach = (host: string, port = 0) =>
      failure(ssh.wrap({ ...endpoint, address: { host, port } }, server.lower, client([KEY])));
    const refused = await reach("inside.test", 443);
    equal([refused.failure, refused.side], ["refused", "upstream"]);
    equal(
      told(refused),
      'Cannot reach inside.test:443 through SSH: Cannot open a channel: the server refused (2, "Connection refused")',
    );
    await reach("fd00::1", 22);
    await reach("unix:/run/some.sock");
    equal((await reach("unix:@abstract")).failure, "unsupported");
    equal(asked, [
      ["direct-tcpip", "inside.test", 443, "127.0.0.1", 0],
      ["direct-tcpip", "fd00::1", 22, "127.0.0.1", 0],
      ["direct-streamlocal@openssh.com", "/run/some.sock"],
    ]);
    equal(server.dials, 1);
  }));

Deno.test("channels and requests of the server towards us are refused", () =>
  withClient(async (ssh) => {
    const server = new ToyServer(), endpoint = behind({ identity: server.identity });
    await ssh.wrap(endpoint, server.lower, client([KEY]));
    const [connection] = server.connections;
    const answered = Promise.withResolvers<boolean>();
    connection.ask("tcpip-forward", new Uint8Array(0), (granted) => answered.resolve(granted));
    equal(await answered.promise, false);
    const channel = connection.open("forwarded-tcpip", new Uint8Array(0));
    equal((await failure(channel.stream.read(new Uint8Array(1)))).failure, "denied");
  }));

Deno.test("of a server with several keys the pinned one is found, by its fingerprint or its ID", () =>
  withClient(async (ssh) => {
    const [ed25519, ecdsa] = [makeHostKey("ssh-ed25519"), makeHostKey("ecdsa-sha2-nistp256")];
    const server = new ToyServer({ keys: [ecdsa, ed25519] });
    const identity = keyName(keyId(readPublicKey(ecdsa.blob) as PublicKey));
    equal(await echoed(await ssh.wrap(behind({ identity }), server.lower, client([KEY])), "found"), "found");
    equal(server.dials, 2); // the other one was preferred
    const absent = new ToyServer().identity;
    const reason = await failure(ssh.wrap(behind({ identity: absent }), server.lower, client([KEY])));
    equal([reason.failure, reason.side], ["refused", "upstream"]);
    ok(
      told(reason).includes(`it has to be ${absent}, and shows ssh-ed25519 SHA256:`) ||
        told(reason).includes("ecdsa"),
      told(reason),
    );
  }));

Deno.test("keys are shown one after the other, and the refusal names those that were", () =>
  withClient(async (ssh) => {
    const other = makeHostKey();
    const OTHER = {
      name: "another key",
      pkcs8: Uint8Array.from(createPrivateKey(other.pem).export({ type: "pkcs8", format: "der" })),
    };
    const takes = (blob: Uint8Array, user: string) =>
      user === "somebody" && blob.toHex() === made.blob.toHex();
    const server = new ToyServer({ takes }), endpoint = behind({ identity: server.identity });
    equal(await echoed(await ssh.wrap(endpoint, server.lower, client([OTHER, KEY])), "in"), "in");
    equal(server.asked, ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256 signed"]);
    const reason = await failure(
      ssh.wrap({ ...endpoint, user: "nobody" }, server.lower, client([OTHER, KEY])),
    );
    equal([reason.failure, reason.side], ["unauthenticated", "upstream"]);
    ok(
      /Cannot log in as "nobody": it refused ssh-ed25519 SHA256:\S+ \(another key\), ecdsa/.test(
        told(reason),
      ),
      told(reason),
    );
    const none = await failure(ssh.wrap({ ...endpoint, user: "x" }, server.lower, client([])));
    ok(told(none).endsWith("there was no key to show; it takes publickey"), told(none));
  }));

Deno.test("a refused login, or a host that is not believed, is not asked again by every stream that comes", () =>
  withClient(async (ssh) => {
    let lets = false;
    const server = new ToyServer({ takes: () => lets }), endpoint = behind({ identity: server.identity });
    const open = (more: Partial<Client> = {}) =>
      ssh.wrap(endpoint, server.lower, { ...client([KEY]), ...more });
    const reason = await failure(open());
    lets = true;
    const reasons = await Promise.all(Array.from({ length: 20 }, () => failure(open())));
    equal([reason.failure, server.dials], ["unauthenticated", 1]);
    ok(reasons.every((one) => one === reason), "all get the same");
    equal(await echoed(await open({ keys: "others" }), "with other keys"), "with other keys");
    equal(server.dials, 2);
    const stranger = new ToyServer();
    const meet = () => failure(ssh.wrap(endpoint, stranger.lower, { ...client([KEY]), keys: "stranger" }));
    equal([(await meet()).failure, (await meet()).failure], ["refused", "refused"]);
    const dials = stranger.dials;
    await meet();
    equal(stranger.dials, dials);
    equal(ssh.gates, 1); // who only failed is no gate to remember
  }));

Deno.test("a dial that fails is no setback of SSH: the next stream dials", () =>
  withClient(async (ssh) => {
    const server = new ToyServer(), endpoint = behind({ identity: server.identity });
    const down = new GateError("refused", "upstream", "Cannot connect: refused");
    equal(
      await failure(ssh.wrap(endpoint, () => Promise.reject(down), client([KEY]))).then(told),
      `${told(new GateError("refused", "upstream", "Cannot use SSH at gate.test:22", down))}`,
    );
    equal(await echoed(await ssh.wrap(endpoint, server.lower, client([KEY])), "then"), "then");
  }));

/** The stream, whose bytes are changed before they leave. */
function tampering(stream: Stream, change: (bytes: Uint8Array, at: number, size: number) => void): Stream {
  const joint = stream.joint!();
  let room: Room | undefined;
  const tampered: Joint = {
    join: (to, bytes) => joint.join(to, bytes),
    reserve: (most, least) => room = joint.reserve(most, least),
    commit: (bytes) => {
      for (let i = 0, left = bytes; i < room!.pieces && left > 0; i++) {
        const size = Math.min(left, room!.size[i]);
        change(room!.bytes, room!.at[i], size);
        left -= size;
      }
      joint.commit(bytes);
    },
    delivered: (bytes) => joint.delivered(bytes),
    leave: () => joint.leave(),
    end: () => joint.end(),
    abort: (reason) => joint.abort(reason),
  };
  return { joint: () => tampered } as unknown as Stream;
}

Deno.test("whatever a server sends in place of what it should, the stream fails or goes on, and nothing is left", () =>
  fc.assert(
    fc.asyncProperty(fc.nat(4000), fc.integer({ min: 1, max: 255 }), (at, flip) =>
      withClient(async (ssh) => {
        let left = at;
        const server = new ToyServer({
          under: (stream) =>
            tampering(stream, (bytes, from, size) => {
              if (left >= 0 && left < size) bytes[from + left] ^= flip;
              left -= size;
            }),
        });
        const hasty = client([KEY]);
        const opened = ssh.wrap(behind({ identity: server.identity }), server.lower, hasty);
        const stop = after(200, () => hasty.abort(GONE));
        try {
          const stream = await opened;
          stream.abort(GONE);
        } catch (thrown) {
          ok(thrown instanceof GateError && thrown.failure !== "internal", String(thrown));
        } finally {
          stop();
        }
        for (const transport of server.transports) transport.abort(GONE);
      })),
    { numRuns: 30 },
  ));
