/** Servers that mean our client no good: whatever they do, the stream fails in time and by its name, and nothing is left. */
import { createPrivateKey } from "node:crypto";
import { GateError } from "../../../../gate/errors.ts";
import { after } from "../../../../gate/engine/loop.ts";
import { liveCiphers } from "../../../../gate/engine/openssl_ciphers.ts";
import { openssl } from "../../../../gate/engine/openssl_library.ts";
import type { Stream } from "../../../../gate/streams.ts";
import type { Opening } from "../../../../protocols/ssh/channels/opening.ts";
import { heldHere } from "../../../../protocols/ssh/channels/held.ts";
import { SshClient } from "../../../../protocols/ssh/client/wrap.ts";
import * as numbers from "../../../../protocols/ssh/numbers.ts";
import { encoded } from "../../../../protocols/ssh/wire.ts";
import { equal, ok } from "../../../support/assert.ts";
import { onLoop, pause } from "../../../support/on_loop.ts";
import { pattern } from "../../../support/pattern.ts";
import { behind, client, ToyServer } from "../../../support/ssh_server.ts";
import { makeHostKey } from "../../../support/ssh_transport.ts";
import { SUBJECTS } from "../../../support/stream_pairs.ts";

openssl(); // the library stays: no test is to be blamed for it

const made = makeHostKey("ecdsa-sha2-nistp256");
const KEY = {
  name: "a key",
  pkcs8: Uint8Array.from(createPrivateKey(made.pem).export({ type: "pkcs8", format: "der" })),
};
const GAVE_UP = new GateError("timeout", "upstream", "Cannot connect: no answer in time");
const text = (line: string) => new TextEncoder().encode(line);

const failure = async (promise: Promise<unknown> | unknown): Promise<GateError> => {
  try {
    await promise;
  } catch (thrown) {
    return thrown as GateError;
  }
  throw new Error("it did not fail");
};

const withClient = (work: (ssh: SshClient) => Promise<void>) =>
  onLoop(async () => {
    const ssh = new SshClient();
    try {
      await work(ssh);
    } finally {
      ssh.close();
      await pause(20);
    }
    equal([liveCiphers.count, heldHere.held], [0, 0]);
  });

/** A server that says this, and then does what `then` does; the client gives up after `ms`. */
async function meet(
  ssh: SshClient,
  say: Uint8Array,
  { then = () => {}, ms = 300 }: { then?: (far: Stream) => void; ms?: number } = {},
): Promise<GateError> {
  const hasty = client([KEY]), ends: Stream[] = [];
  let stop = () => {};
  const lower = async (): Promise<Stream> => {
    const [near, far] = await SUBJECTS["TCP"].pair();
    ends.push(far);
    stop = after(ms, () => hasty.abort(GAVE_UP));
    Promise.resolve(far.write(say)).catch(() => {});
    then(far);
    return near;
  };
  const reason = await failure(ssh.wrap(behind(), lower, hasty));
  stop();
  for (const end of ends) end.abort(GAVE_UP);
  return reason;
}

Deno.test("a server that is silent from the start, or behind its version, is given up by who waits", () =>
  withClient(async (ssh) => {
    equal(await meet(ssh, new Uint8Array(0)), GAVE_UP);
    equal(await meet(new SshClient(), text("SSH-2.0-silent\r\n")), GAVE_UP);
  }));

Deno.test("what is no version line, or never comes to one, ends it as malformed", () =>
  withClient(async (ssh) => {
    for (
      const said of [`${"x".repeat(70)}\r\n`.repeat(200), `SSH-1.5-old\r\n`, `SSH-2.0-${"x".repeat(300)}\r\n`]
    ) {
      const { failure, side } = await meet(new SshClient(), text(said), { ms: 3000 });
      ok(failure === "malformed" || failure === "unsupported", `${failure}: ${said.slice(0, 20)}`);
      equal(side, "upstream");
    }
    equal(
      await meet(ssh, text("HTTP/1.1 400 Bad Request\r\n\r\n"), { then: (far) => void far.closeWrite() })
        .then(({ side }) => side),
      "upstream",
    );
  }));

Deno.test("a server that ends at once, or behind its version, is one that ended", () =>
  withClient(async () => {
    for (const said of ["", "SSH-2.0-short\r\n"]) {
      const { failure, side } = await meet(new SshClient(), text(said), {
        then: (far) => void far.closeWrite(),
        ms: 3000,
      });
      equal([failure, side], ["closed", "upstream"]);
    }
  }));

/** The stream that is opened of a server that `acts` on each channel. */
async function opened(
  ssh: SshClient,
  acts: (opening: Opening, server: ToyServer) => void,
): Promise<{ stream: Stream; server: ToyServer }> {
  const server: ToyServer = new ToyServer({ opens: (opening) => acts(opening, server) });
  const stream = await ssh.wrap(behind({ identity: server.identity }), server.lower, client([KEY]));
  return { stream, server };
}

/** Reads until it fails. */
async function readOut(stream: Stream): Promise<void> {
  const into = new Uint8Array(65_536);
  while (await stream.read(into) !== null);
}

const raw = ({ transports: [transport] }: ToyServer, ...payloads: Uint8Array[]) => {
  for (const payload of payloads) transport.send(payload);
};

const BREAKS: Readonly<Record<string, (channel: number) => Uint8Array[]>> = {
  "data beyond the window": (channel) =>
    Array.from(
      { length: 9 },
      () => encoded((to) => to.byte(numbers.CHANNEL_DATA).uint32(channel).string(pattern(32_768))),
    ),
  "a window of more than 2^32 bytes": (channel) =>
    Array.from(
      { length: 2 },
      () => encoded((to) => to.byte(numbers.WINDOW_ADJUST).uint32(channel).uint32(0xffffffff)),
    ),
  "data of another channel": () => [
    encoded((to) => to.byte(numbers.CHANNEL_DATA).uint32(4711).string(pattern(10))),
  ],
  "a second confirmation": (channel) => [
    encoded((to) => to.byte(numbers.OPEN_CONFIRMATION).uint32(channel).uint32(1).uint32(1).uint32(1)),
  ],
  "an answer to nothing": () => [Uint8Array.of(numbers.REQUEST_FAILURE)],
};

for (const [what, payloads] of Object.entries(BREAKS)) {
  Deno.test(`${what} of a server ends the connection as malformed, and the next stream makes another`, () =>
    withClient(async (ssh) => {
      let channel = 0;
      const { stream, server } = await opened(ssh, (opening) => channel = opening.accept().peer);
      raw(server, ...payloads(channel));
      await pause(100); // nobody reads
      equal((await failure(readOut(stream))).failure, "malformed");
      equal(server.transports[0].isOver, true);
    }));
}

const EARLY: Readonly<Record<string, Uint8Array>> = {
  "data": encoded((to) => to.byte(numbers.CHANNEL_DATA).uint32(1).string(pattern(10))),
  "an end": encoded((to) => to.byte(numbers.CHANNEL_EOF).uint32(1)),
  "a request": encoded((to) => to.byte(numbers.CHANNEL_REQUEST).uint32(1).text("no-such").boolean(true)),
};

for (const [what, payload] of Object.entries(EARLY)) {
  Deno.test(`${what} on a channel that the server did not confirm ends the connection as malformed`, () =>
    withClient(async (ssh) => {
      const hasty = client([KEY]), stop = after(3000, () => hasty.abort(GAVE_UP));
      const server: ToyServer = new ToyServer({ opens: () => raw(server, payload) });
      const reason = await failure(ssh.wrap(behind({ identity: server.identity }), server.lower, hasty));
      stop();
      equal(reason.failure, "malformed");
    }));
}

Deno.test("a server that is silent behind the login, or says banners without end, is given up by who waits", () =>
  withClient(async () => {
    const banner = encoded((to) => to.byte(numbers.USERAUTH_BANNER).text("x".repeat(30_000)).text(""));
    const silent = new ToyServer({ opens: () => {} });
    const wordy: ToyServer = new ToyServer({
      takes: () => {
        for (let i = 0; i < 300; i++) raw(wordy, banner);
        return true;
      },
      opens: () => {},
    });
    for (const server of [silent, wordy]) {
      const hasty = client([KEY]), stop = after(1000, () => hasty.abort(GAVE_UP));
      const waiting = new SshClient().wrap(behind({ identity: server.identity }), server.lower, hasty);
      equal([await failure(waiting), server.dials], [GAVE_UP, 1]);
      stop();
      for (const transport of server.transports) transport.abort(GAVE_UP);
    }
    equal(silent.logins, 1);
  }));

Deno.test("floods of global requests, and of channels towards us, are refused and cost nothing", () =>
  withClient(async (ssh) => {
    const { stream, server } = await opened(ssh, (opening) => void opening.accept());
    const [connection] = server.connections;
    let refused = 0;
    for (let i = 0; i < 3000; i++) {
      connection.ask("no-such@example.com", new Uint8Array(0), (granted) => refused += granted ? 0 : 1);
    }
    for (let i = 0; i < 400; i++) {
      connection.open("session", new Uint8Array(0), { refused: () => refused++ });
    }
    for (let i = 0; i < 300 && refused < 3400; i++) await pause(10);
    equal([refused, server.transports[0].isOver], [3400, false]);
    stream.abort(GAVE_UP);
    server.transports[0].abort(GAVE_UP);
  }));

Deno.test("a server that disconnects in the middle of a stream breaks it, on its side", () =>
  withClient(async (ssh) => {
    const { stream, server } = await opened(ssh, (opening) => void opening.accept());
    server.transports[0].disconnect(numbers.BY_APPLICATION, "restarts");
    const reason = await failure(readOut(stream));
    equal([reason.failure, reason.side], ["closed", "upstream"]);
  }));

Deno.test("a server that ends right behind the login is dialed again by the next stream", () =>
  withClient(async (ssh) => {
    const server = new ToyServer({ opens: (opening) => void opening.accept() });
    const { identity, lower, transports, connections } = server;
    let ends = true;
    connections.push = (connection) => { // in the turn of the login
      if (ends) transports[0].disconnect(numbers.BY_APPLICATION, "restarts");
      return Array.prototype.push.call(connections, connection);
    };
    const { failure: first } = await failure(ssh.wrap(behind({ identity }), lower, client([KEY])));
    equal([first, server.dials], ["closed", 1]);
    ends = false;
    await pause(300); // the pause of what broke
    const stream = await ssh.wrap(behind({ identity }), lower, client([KEY]));
    equal(server.dials, 2);
    stream.abort(GAVE_UP);
  }));
