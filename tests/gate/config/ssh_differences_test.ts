import { sshChanges } from "../../../gate/config/ssh_differences.ts";
import type { SshConfiguration, SshFile } from "../../../gate/config/configuration.ts";
import { equal } from "../../support/assert.ts";

const ssh = (more: Partial<SshConfiguration>): SshConfiguration => ({ loginTimeout: 120_000, ...more });
const file = (key: SshFile["key"], file: string, state: string): SshFile => ({ key, file, state });

const JUDGED = ": who is connected was judged again", NEW = ": for new connections";

Deno.test("a file that changed is told by its key and name, and what became of who is connected", () => {
  const told: Record<SshFile["key"], string> = {
    authorizedKeys: JUDGED,
    userAuthorities: JUDGED,
    revokedKeys: JUDGED,
    hostKey: NEW,
    identities: NEW,
    knownHosts: NEW,
  };
  for (const [key, after] of Object.entries(told) as [SshFile["key"], string][]) {
    const files = (state: string) => ssh({ files: [file(key, "/a", "1"), file(key, "/b", state)] });
    equal(sshChanges(files("1"), files("2")), [`ssh.${key}: /b changed${after}`]);
    equal(sshChanges(files("1"), files("1")), []);
  }
});

Deno.test("files come and go; several changes are several sentences, of one key one", () => {
  const before = ssh({ files: [file("authorizedKeys", "/a", "1"), file("authorizedKeys", "/b", "1")] });
  const after = ssh({
    banner: "hello",
    loginTimeout: 60_000,
    files: [
      file("authorizedKeys", "/b", "2"),
      file("authorizedKeys", "/c", "1"),
      file("knownHosts", "/k", ""),
    ],
  });
  equal(sshChanges(before, after), [
    `ssh.authorizedKeys: /c new, /a gone, /b changed${JUDGED}`,
    `ssh.knownHosts: /k new${NEW}`,
    "ssh.banner: changed",
    "ssh.loginTimeout: 1m instead of 2m",
  ]);
  equal(sshChanges(ssh({ identities: ["agent"] }), ssh({})), [
    `ssh.identities: in another order, or other words${NEW}`,
  ]);
});
