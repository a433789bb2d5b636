import fc from "fast-check";
import type { Protocol, Protocols } from "../../gate/contracts.ts";
import type { Phase, Verdict } from "../../gate/streams.ts";
import { GateError } from "../../gate/errors.ts";
import { sniffer, withoutPreface } from "../../gate/sniff.ts";
import { protocols, proxyProtocol } from "../../protocols/mod.ts";
import { equal, ok } from "../support/assert.ts";
import { clientHello } from "../support/client_hello.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Claims what begins with `start`. */
const begins = (start: string, catches?: (head: Uint8Array) => Verdict): Protocol => ({
  naming: "nothing",
  sniff: (head) => {
    const wanted = bytes(start);
    for (let i = 0; i < Math.min(head.length, wanted.length); i++) if (head[i] !== wanted[i]) return false;
    return head.length >= wanted.length || wanted.length;
  },
  catches,
});

const toys: Protocols = {
  ab: begins("ab"),
  abc: begins("abcdef"),
  x: begins("x", (head) => head.length < 3 ? 3 : head[2] === 0x21),
};

const told = (names: string[], head: string, phase: Phase = "open", preface?: Protocol) =>
  sniffer(names, toys, preface)(bytes(head), phase);

Deno.test("a claim waits until nobody else may claim it too", () => {
  equal(told(["ab", "x"], "abc"), { protocol: "ab" });
  equal(told(["ab", "abc"], "abc"), 6);
  equal(told(["ab", "abc"], "abcx"), { protocol: "ab" });
  equal(told(["ab", "abc"], "abc", "late"), { protocol: "ab" });
  equal(told(["ab", "abc"], "abc", "ended"), { protocol: "ab" });
});

Deno.test("silence, a piece and a stranger are different", () => {
  for (const phase of ["late", "ended"] as const) {
    equal(told(["ab"], "", phase), { unknown: "silent" });
    equal(told(["ab"], "a", phase), { unknown: "partial" });
    equal(told(["ab"], "zz", phase), { unknown: "unknown" });
  }
  equal([told(["ab"], ""), told(["ab"], "a"), told(["ab"], "z")], [1, 2, { unknown: "unknown" }]);
});

Deno.test("a weaker claim is heard when all have said no", () => {
  equal(told(["ab", "x"], "zz!"), { protocol: "x" });
  equal(told(["ab", "x"], "z"), 3);
  equal(told(["ab", "x"], "z", "late"), { unknown: "unknown" });
  equal(told(["ab", "x"], "ab!"), { protocol: "ab" });
});

Deno.test("who has a fallback is given what only a weaker claim would take", () => {
  equal(sniffer(["ab", "x"], toys, undefined, true)(bytes("zz!"), "open"), { unknown: "unknown" });
});

Deno.test("a protocol that is not listed is told by its name", () => {
  equal(told(["ab"], "xyz"), { unknown: "unknown", speaks: "x" });
  const hello = clientHello({ serverName: "a.example" });
  equal(sniffer(["http", "ssh"], protocols, proxyProtocol)(hello, "open"), {
    unknown: "unknown",
    speaks: "tls",
  });
});

Deno.test("the preface of an untrusted source is nobody's", () => {
  equal(told(["ab"], "PROXY", "open", begins("PROXY")), { unknown: "preface" });
  equal(told(["ab"], "PR", "open", begins("PROXY")), 5);
  equal(told(["ab"], "ab", "open", begins("PROXY")), { protocol: "ab" });
});

/** So many bytes of `said` go on, in pieces that end at these places. */
function goneOn(said: Uint8Array, ends: readonly number[]): number {
  const inspect = withoutPreface(proxyProtocol), shared = new Uint8Array(said.length + 3);
  let at = 0;
  for (const end of [...ends, said.length]) {
    shared.fill(0x21).set(said.subarray(at, end), 3); // what was shown before is not there any more
    try {
      inspect(shared, 3, end - at);
    } catch (thrown) {
      ok(thrown instanceof GateError && thrown.failure === "denied", String(thrown));
      break;
    }
    at = end;
  }
  return at;
}

Deno.test("behind silence a PROXY header does not go on, wherever it is split, and all else does", () => {
  const v2 = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10, 0x20, 0, 0, 0);
  for (const [header, signature] of [[bytes("PROXY UNKNOWN\r\n"), 6], [v2, 12]] as const) {
    for (let one = 1; one < header.length; one++) {
      for (let two = one; two < header.length; two++) {
        const open = [two, one, 0].find((end) => end < signature);
        equal(goneOn(header, [one, two]), open!);
        const other = header.slice();
        other[signature - 1] ^= 1;
        equal(goneOn(other, [one, two]), other.length);
      }
    }
  }
});

const SAMPLES: Record<string, Uint8Array> = {
  tls: clientHello({ serverName: "example.com" }),
  ssh: bytes("SSH-2.0-OpenSSH_9.2\r\n"),
  http: bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
  socks: new Uint8Array([5, 1, 0]),
  mqtt: new Uint8Array([0x10, 16, 0, 4, ...bytes("MQTT"), 4, 2, 0, 60, 0, 4, ...bytes("test")]),
};

Deno.test("the order of a list never decides, and every split of a sample comes to the same end", () => {
  const names = fc.shuffledSubarray(Object.keys(SAMPLES), { minLength: Object.keys(SAMPLES).length });
  fc.assert(
    fc.property(names, (names) => {
      const sniff = sniffer(names, protocols, proxyProtocol);
      for (const [name, sample] of Object.entries(SAMPLES)) {
        for (let need = 1;;) {
          ok(need <= sample.length, `${name} asks for ${need} of ${sample.length} bytes`);
          for (let size = 1; size < need; size++) {
            equal(typeof sniff(sample.subarray(0, size), "open"), "number");
          }
          const verdict = sniff(sample.subarray(0, need), "open");
          if (typeof verdict !== "number") {
            equal(verdict, { protocol: name });
            break;
          }
          ok(verdict > need, `${name} asks for ${verdict} and has ${need}`);
          need = verdict;
        }
      }
    }),
    { numRuns: 20 },
  );
});

Deno.test("random bytes get an answer in every phase", () => {
  const sniff = sniffer(Object.keys(SAMPLES), protocols, proxyProtocol);
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom("open", "late", "ended"),
      (head, phase) => {
        const answer = sniff(head, phase as Phase);
        if (phase !== "open") ok(typeof answer === "object", "asks for more when there is none");
        else if (typeof answer === "number") ok(answer > head.length, "asks for what it has");
      },
    ),
  );
});
