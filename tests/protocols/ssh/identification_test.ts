import fc from "fast-check";
import { GateError, type Side } from "../../../gate/errors.ts";
import { Identification, octetsOf } from "../../../protocols/ssh/identification.ts";
import { equal, ok } from "../../support/assert.ts";

const bytes = (text: string) => octetsOf(text);

/** The line, and what is behind it; or why it is refused. `cuts`: where the bytes are split. */
function read(
  text: string,
  side: Side = "client",
  cuts: readonly number[] = [],
): readonly [string, string] | string {
  const identification = new Identification(side), all = bytes(text);
  try {
    let rest = 0;
    for (const [i, from] of [0, ...cuts].entries()) {
      const to = cuts[i] ?? all.length;
      if (identification.line === undefined) rest = identification.take(all, from, to);
    }
    return [identification.line ?? "", text.slice(rest)];
  } catch (thrown) {
    ok(thrown instanceof GateError, String(thrown));
    return thrown.failure;
  }
}

Deno.test("a version line is read, with CR LF or LF alone, with comments or without, 2.0 or 1.99", () => {
  equal(read("SSH-2.0-a\r\nrest"), ["SSH-2.0-a", "rest"]);
  equal(read("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\n\0"), [
    "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10",
    "\0",
  ]);
  equal(read("SSH-1.99-Cisco-1.25\r\n"), ["SSH-1.99-Cisco-1.25", ""]);
  equal(read("SSH-2.0-a"), ["", ""]);
});

Deno.test("another version is unsupported; a line that is none, too long, or has control characters is malformed", () => {
  equal(read("SSH-1.5-old\r\n"), "unsupported");
  equal(read("SSH-3.0-new\r\n"), "unsupported");
  for (const line of ["SSH-2.0\r\n", "SSH-2.0-\r\n", "SSH-\r\n", "SSH-2.0-a\0b\r\n", "SSH-2.0-a\rb\r\n"]) {
    equal(read(line), "malformed", JSON.stringify(line));
  }
  equal(read(`SSH-2.0-${"x".repeat(245)}\r\n`), ["SSH-2.0-" + "x".repeat(245), ""]);
  equal(read(`SSH-2.0-${"x".repeat(248)}\r\n`), "malformed");
  equal(read("SSH-2.0-" + "x".repeat(300)), "malformed");
});

Deno.test("a client that begins with something else is refused with its first bytes", () => {
  for (const text of ["G", "GET / HTTP/1.1\r\n", "SSX", "\r\n", "ssh-2.0-a\r\n"]) {
    equal(read(text), "malformed");
  }
  equal(read("SSH"), ["", ""]);
});

Deno.test("lines before a server's version are passed over, and not without end", () => {
  equal(read("Hello\r\nwho are you\nSSH-2.0-a\r\n!", "upstream"), ["SSH-2.0-a", "!"]);
  equal(read("\r\n".repeat(2000) + "SSH-2.0-a\r\n", "upstream"), ["SSH-2.0-a", ""]);
  equal(read("x\r\n".repeat(5000) + "SSH-2.0-a\r\n", "upstream"), "malformed");
  equal(read("x".repeat(300), "upstream"), "malformed");
});

Deno.test("wherever the bytes are split, the same line is read and the same is left", () => {
  for (const text of ["Hi\r\n\nSSH-2.0-a b\r\n\0\0\0", "SSH-1.99-x\n", "SSH-2.0-ab"]) {
    const whole = read(text, "upstream");
    for (let cut = 0; cut <= text.length; cut++) {
      for (let next = cut; next <= text.length; next++) equal(read(text, "upstream", [cut, next]), whole);
    }
  }
});

Deno.test("random bytes are a line, nothing yet, or refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.constantFrom("client", "upstream"), (given, side) => {
      const answer = read(String.fromCharCode(...given), side as Side);
      ok(typeof answer !== "string" || answer === "malformed" || answer === "unsupported");
      if (side === "client" && given.length > 0 && given[0] !== 83) equal(answer, "malformed");
    }),
    { numRuns: 500 },
  );
});
