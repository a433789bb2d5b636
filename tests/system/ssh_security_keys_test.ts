/** OpenSSH logs in with keys of FIDO tokens: an authenticator of software signs what the test tells it to say of itself. */
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { Child, succeed } from "../support/child.ts";
import { LoginWorld, SSH } from "../support/ssh_login.ts";
import { Keygen, type MadeKey } from "../support/ssh_keygen.ts";

const ready = need("ssh", "ssh-keygen", "gcc");
const keygen = ready ? await Keygen.make() : undefined!;
const provider = ready ? await built() : "";
const TYPES = ["ed25519-sk", "ecdsa-sk"];
/** What it says: nobody was there, somebody touched it, and it knows who. */
const NOBODY = "0", TOUCHED = "1", KNOWN = "5";
const UNTOUCHED = /nobody touched the security key/, UNKNOWN = /the security key did not ask who it is/;

async function built(): Promise<string> {
  const source = new URL("../support/sk_provider.c", import.meta.url).pathname, library = keygen.path("sk");
  await succeed("gcc", ["-shared", "-fPIC", "-o", `${library}.so`, source, "-l:libcrypto.so.3"]);
  return `${library}.so`;
}

const made = (type: string): Promise<MadeKey> => keygen.key(`-t ${type} -w ${provider}`);

const telling = (flags: string) => ({ env: { UGATE_TEST_SK_FLAGS: flags } });

const by = ({ file }: MadeKey, ...more: readonly string[]): string[] => [
  ...["-o", "BatchMode=yes", "-o", `SecurityKeyProvider=${provider}`, "-i", file, ...more],
];

/** What becomes of logins: absent, they get in; else the journal says so. */
async function meets(world: LoginWorld, args: readonly string[], flags: string, why?: RegExp): Promise<void> {
  const { stderr } = await world.ssh(args, telling(flags));
  equal(stderr.includes("Authenticated to 127.0.0.1"), why === undefined, `${flags} ${why}: ${stderr}`);
  const { outcome, cause = "" } = await world.gate.record();
  equal(outcome, why ? "unauthenticated" : "ok");
  if (why) ok(why.test(cause), cause);
}

for (const type of TYPES) {
  Deno.test({
    name: `${type}: somebody has to touch it, and to be known to it where that is demanded`,
    ignore: !ready,
    async fn() {
      const key = await made(type);
      await using world = await LoginWorld.start({ keys: [key.line] }, keygen);
      await meets(world, by(key), TOUCHED);
      await meets(world, by(key), NOBODY, UNTOUCHED);
      await world.authorize(`no-touch-required ${key.line}`);
      await meets(world, by(key), NOBODY);
      await world.authorize(`verify-required ${key.line}`);
      await meets(world, by(key), TOUCHED, UNKNOWN);
      await meets(world, by(key), KNOWN);
    },
  });

  Deno.test({
    name: `${type}: certificates over it demand what they and their authority's line do`,
    ignore: !ready,
    async fn() {
      const [key, authority] = [await made(type), await keygen.key("-t ed25519")];
      await using world = await LoginWorld.start({ keys: [`cert-authority ${authority.line}`] }, keygen);
      const certified = async (...options: string[]): Promise<string[]> => {
        const file = await keygen.certificateFile(authority, key, { options });
        return by(key, "-o", `CertificateFile=${file}`);
      };
      const plain = await certified(), waiving = await certified("no-touch-required");
      await meets(world, plain, TOUCHED);
      await meets(world, plain, NOBODY, UNTOUCHED);
      await meets(world, waiving, NOBODY, UNTOUCHED); // its line does not waive it
      await world.authorize(`cert-authority,no-touch-required ${authority.line}`);
      await meets(world, waiving, NOBODY);
      await meets(world, plain, NOBODY, UNTOUCHED);
      const demanding = await certified("verify-required");
      await meets(world, demanding, TOUCHED, UNKNOWN);
      await meets(world, demanding, KNOWN);
    },
  });
}

Deno.test({
  name: "who came by less than his line demands now is cut, and who showed it goes on",
  ignore: !ready,
  async fn() {
    const [key, other] = await Promise.all(TYPES.map(made));
    const lines = (option: string) => [key, other].map(({ line }) => `${option} ${line}`);
    await using world = await LoginWorld.start({ keys: lines("no-touch-required") }, keygen);
    const stays = async (who: MadeKey, flags: string): Promise<Child> => {
      const args = [...SSH, "-N", ...by(who), "-p", world.port, "pi@127.0.0.1"];
      const child = new Child("ssh", args, telling(flags));
      await child.line(/Entering interactive session/);
      return child;
    };
    await using nobody = await stays(key, NOBODY);
    await using known = await stays(other, KNOWN);
    await world.authorize(...lines("verify-required"));
    const { outcome, cause = "" } = await world.gate.record();
    equal([outcome, UNTOUCHED.test(cause)], ["denied", true], cause);
    equal([await nobody.exit(), known.ended, world.gate.records.length], [255, false, 1]);
  },
});
