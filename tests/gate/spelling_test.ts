import { formatTarget, parseTarget, type Target } from "../../gate/address.ts";
import type { Endpoint } from "../../gate/contracts.ts";
import { canonicalTarget } from "../../gate/decide.ts";
import { GateError } from "../../gate/errors.ts";
import { equal } from "../support/assert.ts";
import { asking, deciderOf } from "../support/rules.ts";

type Given = Parameters<typeof deciderOf>[0];
type Who = Parameters<typeof asking>[0];

const target = (text: string): Target => parseTarget(text)!;

/** The permitted endpoints, or the failure. */
function outcome(given: Given, who: Who, endpoints: Endpoint[] = []): string {
  const decider = deciderOf(given);
  const ask = asking(who);
  try {
    const plan = decider.plan(ask);
    if (plan.kind === "route") return plan.route.place;
    const answer = { target: plan.target, endpoints, source: "test", lifetime: 1000 };
    return decider.permit(ask, plan, answer).map(({ address }) => formatTarget(address)).join(" ");
  } catch (thrown) {
    if (thrown instanceof GateError) return thrown.failure;
    throw thrown;
  }
}

/** Every way to write the address that a name server, a client or an operator may come up with. */
const SPELLINGS: Record<string, string[]> = {
  "169.254.169.254": [
    "169.254.169.254",
    "169.254.169.254.",
    "169.254.43518",
    "169.16689662",
    "2852039166",
    "0xa9fea9fe",
    "0XA9FEA9FE.",
    "0251.0376.0251.0376",
    "0251.254.0xa9.0376",
    "000000251.254.169.254",
    "::ffff:169.254.169.254",
    "::FFFF:a9fe:a9fe",
    "0:0:0:0:0:ffff:169.254.169.254",
    "0000:0000:0000:0000:0000:ffff:a9fe:a9fe",
    "64:ff9b::169.254.169.254",
    "64:FF9B::a9fe:a9fe",
    "64:ff9b:0:0:0:0:169.254.169.254",
    "::169.254.169.254",
    "::a9fe:a9fe",
    "１６９.254。169．254",
    "①⑥⑨.254.169.254",
    "169.254.169.254\u00ad",
  ],
  "127.0.0.1": [
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.1",
    "017700000001",
    "0177.0.0.01",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::7f00:1",
    "::127.0.0.1",
    "::7f00:1",
    "0.0.0.0",
    "0",
    "0x0",
    "00",
    "0.0",
    "::ffff:0.0.0.0",
    "::ffff:0:0",
    "64:ff9b::",
    "64:ff9b::0.0.0.0",
    "１２７.0.0.1",
    "１２７。1",
    "0.0.0.0.",
  ],
  "::1": [
    "::1",
    "0:0:0:0:0:0:0:1",
    "0000:0000::0001",
    "::0.0.0.1",
    "::",
    "0:0:0:0:0:0:0:0",
    "::0",
    "::0.0.0.0",
    "0::",
  ],
}; // deno-fmt-ignore

/** Spellings that are none of a host here: nothing is ever dialed for them. */
const REFUSED = [
  "[::1]", "[127.0.0.1]", "::1%lo", "fe80::1%eth0", "::ffff:127.0.0.1%1", "::1/128", "127.0.0.1/8", "127.0.0.256", "0x100000000",
  "4294967296", "08.0.0.1", "127.0.0.1.1", "127.0.0.1..", "127..1", "+127.0.0.1", "-1", "127.0.0.1 ", " 127.0.0.1", "127.0.0.1\t", "127.0.0.1\0",
  "127.0.0.1\0.example.com", "user@127.0.0.1", "127.0.0.1#", "127.0.0.1?x", "127.0.0.1/x", "127.0.0.1\\x", "%31%32%37.0.0.1", "localhost%00", "",
  ".", "é@127.0.0.1", "é#.127.0.0.1", "0x", "0xg.1", "1e3.0x", "unix:/run/../run/x", "unix:/run//x", "unix:x", "unix:", "UNIX:/run/x",
]; // deno-fmt-ignore

Deno.test("no spelling of a metadata or loopback address slips past, and none of the machine's own", () => {
  for (const [ip, spellings] of Object.entries(SPELLINGS)) {
    for (const host of spellings) {
      const who = { target: { host, port: 15000 } };
      const literal = canonicalTarget(asking(who));
      const own = { own: [{ host: ip, port: 15000 }, { host: "", port: 1080 }] };
      const endpoints = [{ address: literal, layers: [] }];
      equal(outcome({ policy: [{}] }, who, endpoints), "denied", `${host} beyond loopback`);
      equal(outcome({ policy: [{}, { addresses: ["0.0.0.0/0", "::/0"] }] }, who, endpoints), "denied", host);
      equal(outcome(own, { ...who, trusted: true }, endpoints), "denied", `${host} of this gate`);
      const proxy = { target: { host, port: 1080 }, trusted: true };
      equal(outcome(own, proxy, [{ address: { ...literal, port: 1080 }, layers: [] }]), "denied", `${host} own listener`);
      const deny = { policy: [{ verdict: "deny" as const, addresses: [ip] }] };
      equal(outcome(deny, { ...who, trusted: true }, endpoints), "denied", `${host} denied as ${ip}`);
      equal(outcome({ policy: [{ addresses: [ip] }] }, who, endpoints), formatTarget(literal), `${host} allowed as ${ip}`);
      const asName = { target: target("a.example:15000") };
      equal(outcome({ policy: [{}] }, asName, endpoints), "denied", `a name that resolves to ${host}`);
      equal(outcome({ policy: [{}] }, asName, [{ address: { host, port: 15000 }, layers: [] }]), "denied", host);
    }
  }
});

Deno.test("what is no host is refused before anything is asked", () => {
  for (const host of REFUSED) {
    equal(outcome({}, { target: { host, port: 80 }, trusted: true }), "no-route", host);
  }
  for (const port of [0, -1, 65536, 1.5e9, NaN]) {
    equal(outcome({}, { target: { host: "a.b", port }, trusted: true }), "no-route");
  }
});
