/** A link over a joint that a test feeds: what its owner has to wait for, and in which order it comes. */
import { openssl } from "../../../gate/engine/openssl_library.ts";
import type { GateError } from "../../../gate/errors.ts";
import { Link, type LinkOwner } from "../../../protocols/ssh/link.ts";
import { HEADER, plainSealer } from "../../../protocols/ssh/protection/protection.ts";
import { equal } from "../../support/assert.ts";
import { LooseJoint } from "../../support/loose_joint.ts";
import { pattern } from "../../support/pattern.ts";

openssl(); // the library stays: no test is to be blamed for it

/** Looks at one packet, and at the next one when the test says so. */
class Slow implements LinkOwner {
  readonly seen: number[] = [];
  readonly told: string[] = [];
  readonly joint = new LooseJoint();
  readonly link = new Link(this.joint, "client", this);

  packet(bytes: Uint8Array, at: number): boolean {
    this.seen.push(bytes[at]);
    this.link.pause();
    return false;
  }

  identified(): void {}
  taken(): void {}
  flushed(): void {}
  room(): void {}

  ended(): void {
    this.told.push("ended");
  }

  broke(): void {
    this.told.push("broke");
  }

  refused({ message }: GateError): void {
    this.told.push(message);
  }
}

/** One that is more than a queue keeps in a block with others. */
function packet(number: number): Uint8Array {
  const bytes = new Uint8Array(2000 + plainSealer.overhead);
  bytes.set(pattern(2000), HEADER);
  bytes[HEADER] = number;
  return bytes.slice(0, plainSealer.seal(bytes, 0, 2000, 0));
}

const joined = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

Deno.test("what comes while its owner waits comes in its order, however often he waits, and the end behind it", () => {
  const slow = new Slow(), { joint, link } = slow;
  joint.give(new TextEncoder().encode("SSH-2.0-test\r\n"));
  joint.give(packet(1));
  joint.give(joined(packet(2), packet(3), packet(4).subarray(0, 700)));
  joint.give(joined(packet(4).subarray(700), packet(5)));
  joint.give(packet(6));
  joint.taker!.end();
  for (let i = 1; i < 6; i++) {
    equal([slow.seen.length, slow.told], [i, []]);
    link.goOn();
  }
  link.goOn();
  equal([slow.seen, slow.told], [[1, 2, 3, 4, 5, 6], ["ended"]]);
  equal(joint.delivery, 14 + 6 * packet(1).length);
});
