import type { Phase } from "../../../gate/streams.ts";
import type { Socket } from "../../../gate/engine/socket.ts";
import { EPOLLIN, EPOLLRDHUP } from "../../../gate/engine/layout.ts";
import { GateError } from "../../../gate/errors.ts";
import { promiseResolved } from "../../../gate/engine/loop.ts";
import { equal, rejects } from "../../support/assert.ts";
import { onLoop } from "../../support/on_loop.ts";
import { SUBJECTS } from "../../support/stream_pairs.ts";

/** Everything that a look shows, at once. */
const shown = (socket: Socket): [string, Phase] => {
  const seen = socket.look((head, phase) => ({ head: new TextDecoder().decode(head), phase }));
  if (seen instanceof Promise) throw new Error("a look waits that answers whatever there is");
  return [seen.head, seen.phase];
};

/** The loop told the socket of bytes or an end, and nobody looked meanwhile. */
const told = (socket: Socket): Promise<void> =>
  new Promise((done) => {
    socket.mover = {
      moved: (_socket, events) => {
        if (!(events & (EPOLLIN | EPOLLRDHUP))) return;
        socket.mover = undefined;
        promiseResolved();
        done();
      },
      gone: () => {},
    };
  });

for (const name of ["TCP", "a unix socket"]) {
  Deno.test(`what was looked at before is never shown as what there is now: ${name}`, () =>
    onLoop(async () => {
      const [peer, stream] = await SUBJECTS[name].pair(), socket = stream as Socket;
      try {
        for (const [says, seen] of [["one", "one"], [" two", "one two"]]) {
          const event = told(socket);
          await peer.write(new TextEncoder().encode(says));
          await event;
          equal(shown(socket), [seen, "open"]);
        }
        const end = told(socket);
        await peer.closeWrite();
        await end;
        equal(shown(socket), ["one two", "ended"]);
      } finally {
        peer[Symbol.dispose]();
        socket[Symbol.dispose]();
      }
    }));
}

Deno.test("first bytes that were read ahead are looked at with those behind them, and go first", () =>
  onLoop(async () => {
    const [peer, stream] = await SUBJECTS.TCP.pair(), socket = stream as Socket;
    try {
      for (const says of ["first", " second"]) {
        const event = told(socket);
        await peer.write(new TextEncoder().encode(says));
        await event;
        socket.readAhead();
        equal(new TextDecoder().decode(socket.held), "first");
      }
      equal(shown(socket), ["first second", "open"]);
      const into = new Uint8Array(100), texts: string[] = [];
      while (texts.join("").length < 12) {
        const size = await socket.read(into);
        texts.push(new TextDecoder().decode(into.subarray(0, size!)));
      }
      equal(texts, ["first", " second"]);
    } finally {
      peer[Symbol.dispose]();
      socket[Symbol.dispose]();
    }
  }));

Deno.test("first bytes with a reset behind them are seen and read before the reset is", () =>
  onLoop(async () => {
    const [peer, stream] = await SUBJECTS.TCP.pair(), socket = stream as Socket;
    try {
      const event = told(socket);
      await peer.write(new TextEncoder().encode("first"));
      peer.abort(new GateError("closed", "gate", "Cannot go on: it is over"));
      await event;
      socket.readAhead();
      equal(shown(socket), ["first", "ended"]);
      equal(await socket.read(new Uint8Array(100)), 5);
      await rejects(socket.read(new Uint8Array(100)), /the client has reset/);
    } finally {
      peer[Symbol.dispose]();
      socket[Symbol.dispose]();
    }
  }));

Deno.test("a socket is drained while nothing of its peer waits, and when its end was read", () =>
  onLoop(async () => {
    const [peer, stream] = await SUBJECTS.TCP.pair(), socket = stream as Socket;
    try {
      const into = new Uint8Array(100), bytes = told(socket);
      await peer.write(new Uint8Array(10));
      await bytes;
      equal([socket.isDrained, socket.ended], [false, false]);
      await socket.read(into);
      equal([socket.isDrained, socket.ended], [true, false]);
      const end = told(socket);
      await peer.closeWrite();
      await end;
      equal([socket.isDrained, socket.ended], [false, false]);
      equal(await socket.read(into), null);
      equal([socket.isDrained, socket.ended], [true, true]);
    } finally {
      peer[Symbol.dispose]();
      socket[Symbol.dispose]();
    }
  }));

Deno.test("first bytes that a layer has taken, or were read, take no memory for the rest of its life", () =>
  onLoop(async () => {
    const [peer, stream] = await SUBJECTS.TCP.pair(), socket = stream as Socket;
    try {
      const event = told(socket);
      await peer.write(new Uint8Array(10));
      await event;
      socket.readAhead();
      equal(await socket.read(new Uint8Array(4)), 4);
      const joint = socket.joint(), taken: number[] = [];
      await new Promise<void>((done) => {
        const take = (_bytes: Uint8Array, _at: number, size: number) => void taken.push(size);
        const broke = (reason: unknown) => {
          throw reason;
        };
        joint.join({ take, flush: () => {}, room: () => {}, end: done, broke }, 6);
      });
      joint.leave();
      equal([taken, socket.held.buffer.byteLength], [[6], 0]);

      const more = told(socket);
      await peer.write(new Uint8Array(10));
      await more;
      socket.readAhead();
      equal(await socket.read(new Uint8Array(100)), 10);
      equal(socket.held.buffer.byteLength, 0);
    } finally {
      peer[Symbol.dispose]();
      socket[Symbol.dispose]();
    }
  }));

Deno.test("what was read ahead and is used up takes no memory", () =>
  onLoop(async () => {
    const [peer, stream] = await SUBJECTS.TCP.pair(), socket = stream as Socket;
    try {
      await peer.write(new Uint8Array(10_000));
      await socket.next((bytes) => bytes.length < 10_000 ? 10_000 : { used: 1 });
      equal(socket.held.length, 9999);
      await socket.next((bytes) => ({ used: bytes.length }));
      equal(socket.held.buffer.byteLength, 0);
    } finally {
      peer[Symbol.dispose]();
      socket[Symbol.dispose]();
    }
  }));
