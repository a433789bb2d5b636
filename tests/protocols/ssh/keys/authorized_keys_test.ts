/** authorized_keys as sshd(8) has it, line by line. */
import fc from "fast-check";
import { AuthorizedKeys, readAuthorizedKeys } from "../../../../protocols/ssh/keys/authorized_keys.ts";
import { readExpiry } from "../../../../protocols/ssh/keys/expiry.ts";
import { Refusal, strings } from "../../../../protocols/ssh/keys/fields.ts";
import type { KeyOptions } from "../../../../gate/identity/logins.ts";
import { isMeantSource, sourcePatterns } from "../../../../protocols/ssh/keys/sources.ts";
import { equal, ok } from "../../../support/assert.ts";
import { mutated } from "../../../support/mutations.ts";
import { run } from "../../../support/child.ts";
import { Keygen } from "../../../support/ssh_keygen.ts";

const keygen = await Keygen.make();
const [ed25519, ecdsa] = await Promise.all([keygen.key("-t ed25519"), keygen.key("-t ecdsa -b 256")]);
const KEY = ed25519.line.split(" ").slice(0, 2).join(" ");
const PLAIN: KeyOptions = { forwarding: true, pty: true, touch: true, verified: false, authority: false };

/** The options of a line that is right. */
function optionsOf(options: string): KeyOptions {
  const { keys, faults } = readAuthorizedKeys("keys", `${options} ${KEY} comment\n`);
  equal(faults, []);
  return keys[0].options;
}

/** The fault of a line that is worth nothing: its column and the sentence. */
function faultOf(line: string): string {
  const { keys, faults } = readAuthorizedKeys("keys", line);
  equal([keys.length, faults.length], [0, 1], line);
  const [{ place, why }] = faults;
  ok(place.startsWith("keys:1:"), place);
  return `${place.slice(7)}: ${why}`;
}

Deno.test("keys, comments and empty lines, as editors on any system leave them", () => {
  const text = `# a comment\r\n\n  \t${KEY}\tme@example.com, the second\r\n   # another\n${ecdsa.line}`;
  const { keys, faults } = readAuthorizedKeys("/etc/keys", text);
  equal(faults, []);
  equal(keys, [
    { place: "/etc/keys:3", key: ed25519.blob.toBase64(), options: PLAIN },
    { place: "/etc/keys:5", key: ecdsa.blob.toBase64(), options: PLAIN },
  ]);
});

Deno.test("every option has its meaning, in any case, and several stand together", () => {
  equal(optionsOf('from="10.0.0.0/8,!10.1.2.3,fd00::*"').from, ["10.0.0.0/8", "!10.1.2.3", "fd00::*"]);
  equal(optionsOf('command="echo \\"a b\\", c"').command, 'echo "a b", c');
  equal(optionsOf('cert-authority,Principals="alice,bob"'), {
    ...PLAIN,
    authority: true,
    principals: ["alice", "bob"],
  });
  equal(optionsOf('environment="UGATE_ROLE=admin",environment="LANG=C"').role, "admin");
  equal(optionsOf("no-touch-required,verify-required"), { ...PLAIN, touch: false, verified: true });
  equal(optionsOf("no-pty,No-Port-Forwarding,no-X11-forwarding,no-agent-forwarding,no-user-rc"), {
    ...PLAIN,
    pty: false,
    forwarding: false,
  });
  equal(optionsOf('tunnel="0"'), PLAIN);
});

Deno.test("restrict takes away what stands before it, and what stands behind it may give it back", () => {
  equal(optionsOf("restrict"), { ...PLAIN, forwarding: false, pty: false });
  equal(optionsOf("restrict,port-forwarding"), { ...PLAIN, pty: false });
  equal(optionsOf("pty,restrict"), { ...PLAIN, forwarding: false, pty: false });
});

Deno.test("what may be opened and listened on is given as host and port", () => {
  const open = (text: string) => optionsOf(`permitopen="${text}"`).permitOpen;
  equal(open("db.Internal:5432"), [{ host: "db.internal", port: 5432 }]);
  equal(open("[fd00::1]:*"), [{ host: "fd00::1", port: undefined }]);
  equal(open("*:80"), [{ host: "*", port: 80 }]);
  equal(optionsOf('permitopen="a:1",permitopen="b:2"').permitOpen?.length, 2);
  const listen = (text: string) => optionsOf(`permitlisten="${text}"`).permitListen;
  equal(listen("8080"), [{ host: "*", port: 8080 }]);
  equal(listen("pi.example.com:443"), [{ host: "pi.example.com", port: 443 }]);
  equal(listen("*.example.com:443"), [{ host: "*.example.com", port: 443 }]);
  for (
    const wrong of [
      "80",
      "*.internal:80",
      "a:0",
      "a:65536",
      "a:b",
      "a",
      ":80",
      "a b:1",
      "[fd00::1]",
      "::1:80",
    ]
  ) {
    ok(/expected host:port/.test(faultOf(`permitopen="${wrong}" ${KEY}`)), wrong);
  }
  for (const wrong of ["", "0", "x", "a:70000"]) {
    ok(/expected host:port/.test(faultOf(`permitlisten="${wrong}" ${KEY}`)), wrong);
  }
});

Deno.test("an option that is not known, or has another form, makes its line worth nothing, and tells where", () => {
  equal(faultOf(`no-pty,permit-root ${KEY}`), '8: unknown option "permit-root"');
  equal(faultOf(`  frm="1.2.3.4" ${KEY}`), '3: unknown option "frm"');
  equal(faultOf(`no-restrict ${KEY}`), '1: unknown option "no-restrict"');
  equal(faultOf(`pty="yes" ${KEY}`), '1: unknown option "pty"');
  equal(faultOf(`command=date ${KEY}`), "9: expected a value in double quotes");
  equal(faultOf(`command="date ${KEY}`), "1: a quote that is not closed");
  equal(faultOf(`no-pty, ${KEY}`), "8: expected an option");
  equal(faultOf(`no-pty,,restrict ${KEY}`), "8: expected an option");
  equal(faultOf(`command="a"restrict ${KEY}`), "12: expected a comma between two options");
  equal(faultOf(`from="a.example" ${KEY}`).slice(0, 3), "1: ");
  equal(faultOf(`from="10.0.0.1/8" ${KEY}`).slice(0, 3), "1: ");
  equal(faultOf(`command="a",command="b" ${KEY}`), "13: it is given twice");
  equal(faultOf(`environment="UGATE_ROEL=guest" ${KEY}`), '1: unknown variable "UGATE_ROEL"');
  equal(faultOf(`environment="UGATE_ROLE=" ${KEY}`).slice(0, 22), "1: expected a role of ");
  equal(faultOf(`environment="UGATE_ROLE=a",environment="UGATE_ROLE=b" ${KEY}`), "28: it is given twice");
  equal(faultOf(`environment="A" ${KEY}`), '1: expected NAME=value, got "A"');
  equal(faultOf(`principals="a" ${KEY}`), "1: principals is for cert-authority");
  equal(faultOf(`cert-authority,principals="a,,b" ${KEY}`).slice(0, 12), "16: expected");
  equal(faultOf(`expiry-time="20260231" ${KEY}`), '1: there is no such time: "20260231"');
});

Deno.test("what is no key makes its line worth nothing, too", async () => {
  const certificate = await keygen.certify(ecdsa, ed25519);
  const base64 = KEY.split(" ")[1];
  equal(faultOf("ssh-ed25519"), "12: expected a key in base64");
  equal(faultOf("ssh-ed25519 ####"), "13: expected a key in base64");
  equal(faultOf(`ssh-ed25519 ${base64.slice(0, -4)}`), "13: it is cut short");
  equal(faultOf(`ssh-rsa ${base64}`), "1: the key is of the type ssh-ed25519");
  equal(faultOf(`ssh-dss ${base64}`), '1: expected the type of a key, got "ssh-dss"');
  equal(faultOf("restrict"), '9: expected the type of a key, got ""');
  equal(
    faultOf(`ssh-ed25519-cert-v01@openssh.com ${certificate.toBase64()}`),
    "1: a certificate, where a plain key belongs",
  );
  const weak = strings("ssh-rsa", Uint8Array.of(1, 0, 1), new Uint8Array(129).fill(255).with(0, 0));
  equal(faultOf(`ssh-rsa ${weak.toBase64()}`), "9: an RSA key of 1024 bits: 2048 are the least");
  equal(faultOf(`${KEY} ${"x".repeat(20_000)}`).slice(0, 12), "1: the line ");
});

Deno.test("a line that is worth nothing takes no other with it", () => {
  const { keys, faults } = readAuthorizedKeys("keys", `x ${KEY}\n${ecdsa.line}\ny\n`);
  equal(keys.map(({ place }) => place), ["keys:2"]);
  equal(faults.map(({ place }) => place), ["keys:1:1", "keys:3:1"]);
});

Deno.test("times are local, or UTC with a Z, and the earliest of several holds", async () => {
  equal(readExpiry("20301231Z"), Date.UTC(2030, 11, 31));
  equal(readExpiry("203012312359utc"), Date.UTC(2030, 11, 31, 23, 59));
  equal(readExpiry("20301231235958Z"), Date.UTC(2030, 11, 31, 23, 59, 58));
  equal(readExpiry("20240229"), new Date(2024, 1, 29).getTime());
  equal(optionsOf('expiry-time="20310101Z",expiry-time="20300101Z"').until, Date.UTC(2030, 0, 1));
  for (
    const wrong of ["", "2030", "20301301", "20300230Z", "203001012500", "20300101246060", "20300101T00", "1"]
  ) {
    ok(readExpiry(wrong) instanceof Refusal, wrong);
  }
  const program = `import { readExpiry } from "${
    import.meta.resolve("../../../../protocols/ssh/keys/expiry.ts")
  }";
    console.log(readExpiry("20300701120000"));`;
  const { stdout } = await run(Deno.execPath(), ["eval", program], { env: { TZ: "America/New_York" } });
  equal(Number(stdout), Date.UTC(2030, 6, 1, 16));
});

Deno.test("a source is meant by networks and patterns, and one with ! in front is the last word", () => {
  const meant = (text: string, source?: string) => {
    const patterns = sourcePatterns(text);
    ok(!(patterns instanceof Refusal), text);
    return isMeantSource(patterns, source);
  };
  equal([meant("10.0.0.0/8", "10.9.9.9"), meant("10.0.0.0/8", "11.0.0.1")], [true, false]);
  equal([meant("192.0.2.?", "192.0.2.7"), meant("192.0.2.?", "192.0.2.77")], [true, false]);
  equal([meant("*,!10.0.0.5", "10.0.0.5"), meant("!10.0.0.5,*", "10.0.0.6")], [false, true]);
  equal([meant("!10.0.0.5", "10.0.0.6"), meant("FD00::*", "fd00::1")], [false, true]);
  equal([meant("2001:db8::/32", "2001:db8::1"), meant("*", undefined), meant("*", "unix")], [
    true,
    false,
    false,
  ]);
  for (const wrong of ["", "a.example.com", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/8,", "host*"]) {
    ok(sourcePatterns(wrong) instanceof Refusal, wrong);
  }
});

Deno.test("10,000 keys are told in parts, and found by one look-up each", () => {
  const keys = new AuthorizedKeys(),
    lines = Array.from({ length: 10_000 }, (_, i) => {
      const octets = new Uint8Array(32);
      new DataView(octets.buffer).setUint32(0, i);
      return `ssh-ed25519 ${strings("ssh-ed25519", octets).toBase64()} user ${i}`;
    });
  const all = readAuthorizedKeys("keys", lines.join("\n")).keys;
  for (let at = 0; at < all.length; at += 500) keys.add(structuredClone(all.slice(at, at + 500)));
  equal(keys.size, 10_000);
  const octets = new Uint8Array(32);
  new DataView(octets.buffer).setUint32(0, 7777);
  equal(keys.of(strings("ssh-ed25519", octets), false).map(({ place }) => place), ["keys:7778"]);
  equal(keys.of(ed25519.blob, false), []);
});

Deno.test("lines of one key stay in order, and those of authorities are for certificates alone", () => {
  const keys = new AuthorizedKeys();
  const text = `restrict ${KEY}\ncert-authority ${KEY}\n${KEY}\n`;
  keys.add(readAuthorizedKeys("keys", text).keys);
  equal(keys.of(ed25519.blob, false).map(({ place }) => place), ["keys:1", "keys:3"]);
  equal(keys.of(ed25519.blob, true).map(({ place }) => place), ["keys:2"]);
});

Deno.test("no text throws: each line is a key or a fault, and quotes are closed in time", () => {
  const sample = `restrict,permitopen="a:1",command="x \\"y\\"",from="10.0.0.0/8" ${KEY} c\n${ecdsa.line}\n`;
  const texts = fc.oneof(
    mutated(new TextEncoder().encode(sample)).map((bytes) => new TextDecoder().decode(bytes)),
    fc.string({ maxLength: 300, unit: fc.constantFrom('"', "\\", ",", "=", " ", "\n", "a", "-", "#", "\t") }),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const { keys, faults } = readAuthorizedKeys("keys", text);
      const lines = text.split("\n").filter((line) => {
        const bare = line.replace(/\r$/, "");
        return bare.trim() !== "" && !bare.trimStart().startsWith("#");
      });
      equal(keys.length + faults.length, lines.length);
    }),
    { numRuns: 500 },
  );
});
