import { GateError } from "../../../gate/errors.ts";
import { clientContext, liveContexts, serverContext } from "../../../gate/engine/openssl_context.ts";
import { newest, openIn, openssl } from "../../../gate/engine/openssl_library.ts";
import { equal, ok } from "../../support/assert.ts";
import { Authority, type Issued } from "../../support/certificates.ts";
import { Folder, succeed } from "../../support/child.ts";

const authority = await Authority.make("contexts");
const one = await authority.issue(["one.example"]), other = await authority.issue(["other.example"]);
const weak = await authority.issue(["weak.example"], ["-newkey", "rsa:1024"]);
const strong = await authority.issue(["rsa.example"], ["-newkey", "rsa:2048"]);
const encrypt = ["ec", "-aes128", "-passout", "pass:secret"];
const encrypted = (await succeed("openssl", encrypt, { stdin: one.key })).stdout;
const root = authority.root.chain;
const NO_PEM = "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n";
const settings = { keyPair: one, alpn: ["http/1.1"], scope: "test" };

serverContext(settings)[Symbol.dispose](); // opens the library, which stays open, before any test

/** The sentence and the failure that `act` throws. */
function refusal(act: () => Disposable): string {
  try {
    act()[Symbol.dispose]();
  } catch (thrown) {
    if (thrown instanceof GateError) return `${thrown.failure}: ${thrown.message}`;
    throw thrown;
  }
  return "none";
}

const served = (keyPair: Pick<Issued, "chain" | "key">) =>
  refusal(() => serverContext({ ...settings, keyPair }));

Deno.test("keys of both kinds, chains, and text around a PEM make a context", () => {
  for (
    const keyPair of [one, strong, { ...one, chain: one.chain + root }, {
      ...one,
      chain: `of ours:\n${one.chain}\n`,
    }]
  ) equal(served(keyPair), "none");
});

Deno.test("a certificate or key that cannot be used is refused with a sentence", () => {
  const expected: [string, string, RegExp][] = [
    [
      one.chain,
      other.key,
      /^malformed: Cannot use a private key: it does not belong to the certificate \(.+\)$/,
    ],
    [one.chain, strong.key, /^malformed: Cannot use a private key: it does not belong/],
    [one.chain, "", /^malformed: Cannot use a private key: no PEM of one without a passphrase/],
    [one.chain, one.chain, /^malformed: Cannot use a private key: no PEM of one/],
    [one.chain, encrypted, /^malformed: Cannot use a private key: no PEM of one without a passphrase/],
    ["", one.key, /^malformed: Cannot use a certificate: number 1 of its PEM: no start line$/],
    [one.key, one.key, /^malformed: Cannot use a certificate: number 1 of its PEM: no start line$/],
    [NO_PEM, one.key, /^malformed: Cannot use a certificate: number 1 of its PEM: /],
    [one.chain + NO_PEM, one.key, /^malformed: Cannot use a certificate: number 2 of its PEM: /],
    [weak.chain, weak.key, /^malformed: Cannot use a certificate: number 1 of its PEM \(ee key too small\)$/],
  ];
  for (const [chain, key, message] of expected) {
    ok(message.test(served({ chain, key })), served({ chain, key }));
  }
});

Deno.test("roots that are none are refused, for clients' certificates and for upstreams'", () => {
  for (const [pem, number] of [["", 1], [NO_PEM, 1], [root + NO_PEM, 2]] as const) {
    const message = new RegExp(`^malformed: Cannot use a root certificate: number ${number} of its PEM: `);
    const clientCertificates = { roots: pem, require: true };
    ok(message.test(refusal(() => serverContext({ ...settings, clientCertificates }))));
    ok(message.test(refusal(() => clientContext({ roots: { pem }, alpn: [] }))));
  }
  equal(refusal(() => clientContext({ roots: { pem: root + other.chain }, alpn: [], keyPair: one })), "none");
});

Deno.test("protocols and ticket keys of a wrong length are mistakes of ours", () => {
  equal(
    refusal(() => serverContext({ ...settings, alpn: ["h2", ""] })),
    'internal: Cannot offer a protocol: "" is not 1 to 255 bytes',
  );
  ok(/^internal: Cannot offer/.test(refusal(() => clientContext({ roots: "any", alpn: ["x".repeat(256)] }))));
  const ticketKeys = new Uint8Array(48);
  equal(
    refusal(() => serverContext({ ...settings, ticketKeys })),
    "internal: Cannot set ticket keys: 48 bytes are no keys of 80",
  );
});

Deno.test("a context is freed once, and used no more; refused ones leave none behind", () => {
  const before = liveContexts.count;
  const context = serverContext(settings);
  equal(liveContexts.count, before + 1);
  context[Symbol.dispose]();
  context[Symbol.dispose]();
  served({ chain: one.chain, key: other.key });
  equal(liveContexts.count, before);
  equal(
    refusal(() => {
      context.setTicketKeys(new Uint8Array(80));
      return context;
    }),
    "internal: Cannot use a TLS context: it was freed",
  );
});

Deno.test("the library tells its version, and where there is none, the package is named", () => {
  ok(/^OpenSSL 3\.\d+\.\d+/.test(openssl().version), openssl().version);
  const missing = refusal(() => {
    openIn("/nowhere/");
    return serverContext(settings);
  });
  equal(
    missing,
    "unsupported: Cannot speak TLS: /nowhere/libssl.so.3 does not open, " +
      "install OpenSSL 3 (Debian: libssl3t64, before Debian 13 libssl3)",
  );
});

Deno.test("of several libraries the newest is taken, and a half of one is none", async () => {
  await using folder = await Folder.make();
  const add = async (name: string, libcrypto: string, libssl = true) => {
    await Deno.mkdir(`${folder.path}/${name}`);
    await folder.write(`${name}/libcrypto.so.3`, `\x7fELF...${libcrypto}...`);
    if (libssl) await folder.write(`${name}/libssl.so.3`, "");
    return `${folder.path}/${name}`;
  };
  const old = await add("old", "OpenSSL 3.0.19 1 Jan 2026"),
    good = await add("good", "OpenSSL 3.5.2 1 Jan 2026");
  const unknown = await add("unknown", "nothing"),
    half = await add("half", "OpenSSL 3.9.0 1 Jan 2027", false);
  await Deno.symlink(good, `${folder.path}/link`);
  const nowhere = `${folder.path}/nowhere`, link = `${folder.path}/link`;
  equal(newest([nowhere, old, unknown, good, half]), `${good}/`);
  equal(newest([link, good, old]), `${link}/`);
  equal(newest([unknown]), `${unknown}/`);
  equal(newest([nowhere, half]), "");
});
