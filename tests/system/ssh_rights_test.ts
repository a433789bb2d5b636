/** Each kind of identity and each verb: what rules allow, what is left without them, and what is cut when they go. */
import { fingerprint } from "../../protocols/ssh/keys/public_key.ts";
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Folder } from "../support/child.ts";
import { TestIssuer } from "../support/issuer.ts";
import { makeCertificate, makeKey } from "../support/ssh_gate.ts";
import type { MadeKey } from "../support/ssh_keygen.ts";
import { BEYOND, type Entrance, idOf, LOOPBACK, RightsWorld, type Visit } from "../support/ssh_rights.ts";

/** Somebody, and what he is granted: where rules allow his identity everything, and where they say nothing of it. */
interface Kind {
  readonly who: string;
  readonly identity: string;
  readonly entrance: Entrance;
  readonly granted: string;
  readonly left: string;
}

const ALLOWED = "login host mesh gate path", NOTHING = "";
const byFile = ({ file }: MadeKey): Entrance => ({ args: ["-o", "BatchMode=yes", "-i", file] });
const role = (name: string) => `environment="UGATE_ROLE=${name}"`;
const words = (text: string): string[] => text.split(" ").filter((word) => word !== "").sort();

async function kinds(issuer: TestIssuer, askpass: string) {
  const [plain, named, print, admin, guest, tied, stranger] = await Promise.all(
    Array.from({ length: 7 }, () => makeKey()),
  );
  const [inFile, onLine, bare] = await Promise.all(Array.from({ length: 3 }, () => makeKey()));
  const [ofFile, ofLine, clear] = await Promise.all([
    makeCertificate(inFile, { principals: "pi" }),
    makeCertificate(onLine, { principals: "pi" }),
    makeCertificate(bare, { principals: "pi", options: ["clear"] }),
  ]);
  const listens = `permitlisten="${LOOPBACK}"`, spells = `permitlisten="0.0.0.0:${BEYOND}"`;
  const lines = [
    `${listens} ${plain.line}`,
    `${spells} ${print.line}`,
    `${role("admin")},${listens} ${admin.line}`,
    `${role("guest")},${listens} ${guest.line}`,
    `restrict,${listens} ${tied.line}`,
    `cert-authority,${listens} ${onLine.line}`,
  ];
  const principal = ({ blob }: MadeKey) => `principal:pi@${fingerprint(blob)}`;
  const token = {
    args: ["-o", "PreferredAuthentications=password"],
    env: { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: "force" },
  };
  const table: [who: string, identity: string, entrance: Entrance, granted: string, left: string][] = [
    ["key:ID, of a file", idOf(plain), byFile(plain), "own loopback bind session", "own loopback session"],
    ["key:ID, of a rule alone", idOf(named), byFile(named), "own bind session", NOTHING],
    [
      "ssh:SHA256",
      `ssh:${fingerprint(print.blob)}`,
      byFile(print),
      "own beyond bind session",
      "own beyond session",
    ],
    ["a principal, by a file", principal(inFile), byFile(ofFile), "own bind session", "own session"],
    [
      "a principal, by a line",
      principal(onLine),
      byFile(ofLine),
      "own loopback bind session",
      "own loopback session",
    ],
    ["a token", `jwt:${issuer.name}#alice`, token, "bind session", "session"],
    ["a role", "role:admin", byFile(admin), "own loopback bind session verb", "own loopback session verb"],
    ["a guest", "role:guest", byFile(guest), "session", "session"],
    ["any", "any", byFile(plain), "own loopback bind session", "own loopback session"],
  ];
  const without: typeof table = [
    ["restrict", idOf(tied), byFile(tied), "login session", "login session"],
    ["no permit-port-forwarding", principal(bare), byFile(clear), "login session", "login session"],
    ["nobody", idOf(plain), byFile(stranger), NOTHING, NOTHING],
  ];
  const kind =
    (login: string, left: string) => ([who, identity, entrance, granted, rest]: typeof table[0]) => (
      { who, identity, entrance, granted: `${login} ${granted}`, left: rest && `${left} ${rest}` }
    );
  const all: Kind[] = [...without.map(kind("", "")), ...table.map(kind(ALLOWED, "login"))];
  return { all, lines, authorities: `${inFile.line}\n${bare.line}\n` };
}

const sorted = (visit: Visit | undefined): string[] => [...visit?.granted ?? []].sort();

/** What he got to is cut, each with a line that says why; he gets there no more. */
async function isCut(world: RightsWorld, visit: Visit, who: string): Promise<void> {
  for (const verb of visit.there.keys()) { // as many lines of the journal
    equal((await lost(world, true)).outcome, "denied", `${who}: ${verb}`);
  }
  for (const [verb, client] of visit.there) {
    equal(await client.text().catch(() => ""), "", `${who}: ${verb}`);
  }
  for (const verb of visit.there.keys()) {
    if (verb !== "bind") equal(await visit.reach(verb as "host"), undefined, `${who}: ${verb} again`);
  }
  equal(await Deno.stat(visit.near).then(() => "there", () => "gone"), "gone", who);
}

Deno.test({
  name: "every identity and every verb: allowed, refused, and cut by a reload, which leaves others alone",
  ignore: !need("ssh", "ssh-keygen", "ssh-keyscan"),
  async fn() {
    await using folder = await Folder.make();
    await using issuer = await TestIssuer.start();
    const token = await issuer.token({ aud: "ssh://gate.mesh.example.com" });
    const askpass = await folder.write("askpass", `#!/bin/sh\nprintf %s '${token}'\n`, 0o700);
    const { all, lines, authorities } = await kinds(issuer, askpass), other = await makeKey();
    const ssh = `userAuthorities: ["${await folder.write("authorities", authorities)}"]`;
    const more = `issuers: [{ issuer: "${issuer.name}", jwks: "${issuer.url}" }]`;
    await using world = await RightsWorld.start({ lines: [...lines, other.line], ssh, more });
    const ofOther = world.everything(idOf(other))[0];
    await world.judge(ofOther);
    await using bystander = (await world.visit(byFile(other)))!;
    const kept = bystander.there.get("host")!;
    for (const { who, identity, entrance, granted, left } of all) {
      await world.judge(...world.everything(identity), ofOther);
      await using visit = await world.visit(entrance);
      equal(sorted(visit), words(granted), who);
      await world.judge(ofOther);
      if (visit) await isCut(world, visit, who);
      await kept.write("b");
      equal(new TextDecoder().decode(await kept.read(1)), "b", who);
      if (visit && left !== NOTHING) {
        equal(visit.child.ended, false, who);
        await world.judge(`{ deny: { identity: "${identity}", sources: ["127.0.0.1"] } }`, ofOther);
        ok(/policy refuses/.test((await lost(world, false)).cause!), who);
      } else if (visit) ok(/nobody believes the key/.test((await lost(world, false)).cause!), who);
      if (visit) equal(await visit.child.exit(), 255, who);
      if (identity === "any") return; // the other one was cut as well
      equal(sorted(await world.visit(entrance)), [], `${who}: denied`);
      await world.judge(ofOther);
      await using rest = await world.visit(entrance);
      equal(sorted(rest), words(left), `${who}: without a rule`);
    }
  },
});

/** Of a connection that a reload ended, or of a channel that was in use. */
const lost = ({ gate }: RightsWorld, isChannel: boolean) =>
  gate.record(({ parent, outcome, side, up }) =>
    (parent !== undefined) === isChannel && outcome === "denied" && side === "gate" && (up > 0 || !isChannel)
  );
