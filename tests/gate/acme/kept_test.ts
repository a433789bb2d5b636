import { Kept } from "../../../gate/acme/kept.ts";
import { issuedFor } from "../../../gate/acme/issued.ts";
import { openssl } from "../../../gate/engine/openssl_library.ts";
import { Authority } from "../../support/certificates.ts";
import { equal, ok, rejects, throws } from "../../support/assert.ts";
import { Folder } from "../../support/child.ts";

openssl(); // stays loaded
const authority = await Authority.make("kept");
const DIRECTORY = "https://ca.example/dir";

Deno.test("a certificate comes back with its key and its directory; another name's, or half of one, is refused", async () => {
  await using folder = await Folder.make();
  const kept = new Kept(folder.path), pair = await authority.issue(["a.example"]);
  equal(await kept.read("a.example"), undefined);
  const issued = issuedFor("a.example", DIRECTORY, pair);
  await kept.write(issued);
  equal(await kept.read("a.example"), issued);
  equal(issued.keyPair.der?.type, "ec");
  const whole = await Deno.readTextFile(kept.path("a.example"));
  for (const text of ["", whole.slice(0, -100), whole.replace("acme 1", "acme 2")]) {
    await Deno.writeTextFile(kept.path("a.example"), text);
    await rejects(kept.read("a.example"), /Cannot use a certificate: it is damaged/);
  }
  await Deno.writeTextFile(kept.path("a.example"), whole);
  await Deno.chmod(kept.path("a.example"), 0o622);
  await rejects(kept.read("a.example"), /others than this user may have written it/);
  throws(() => issuedFor("b.example", DIRECTORY, pair), /Cannot use a certificate: it is not for b\.example/);
  const other = await authority.issue(["a.example"]);
  throws(
    () => issuedFor("a.example", DIRECTORY, { chain: pair.chain, key: other.key }),
    /does not belong to the certificate/,
  );
});

Deno.test("a directory has one account; a name longer than a file's may be has a file of its own", async () => {
  await using folder = await Folder.make();
  const kept = new Kept(`${folder.path}/state`);
  const key = await kept.accountKey(DIRECTORY);
  equal(await new Kept(`${folder.path}/state`).accountKey(DIRECTORY), key);
  ok(await kept.accountKey("https://ca.example/staging") !== key && key.includes("BEGIN PRIVATE KEY"));
  const long = (last: string) =>
    `${"a".repeat(60)}.${"b".repeat(60)}.${"c".repeat(60)}.${"d".repeat(60)}.${last}`;
  const files = [long("x"), long("y")].map((name) => kept.path(name).split("/").at(-1)!);
  ok(files.every(({ length }) => length < 255) && files[0] !== files[1]);
});
