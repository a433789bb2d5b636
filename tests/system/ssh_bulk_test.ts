/** Files through a gate to a machine behind NAT, there and back: scp and rsync, by -J and by `ugate nc`. */
import { need } from "../../scripts/clients.ts";
import { openssl } from "../../gate/engine/openssl_library.ts";
import { equal } from "../support/assert.ts";
import type { Folder } from "../support/child.ts";
import { succeed } from "../support/child.ts";
import { UGATE } from "../support/program.ts";
import { startSshd } from "../support/servers.ts";
import { makeKey, SshGate } from "../support/ssh_gate.ts";
import type { MadeKey } from "../support/ssh_keygen.ts";

openssl(); // stays loaded

/** UGATE_BULK_MIB=2048 is what people copy; here is what the suite has time for. */
const MIB = Number(Deno.env.get("UGATE_BULK_MIB") ?? 64);
/** ms for one copy on a machine that has more to do. */
const COPY_TIME = 60_000 + MIB * 1000;
const PI = "pi.mesh.example.com", GATE_ALIAS = "gate";
const ignore = !need("ssh", "sshd", "scp", "rsync", "dd", "sha256sum", "ssh-keyscan");

/** Nothing in it repeats. */
async function randomFile(folder: Folder): Promise<string> {
  const path = `${folder.path}/random`;
  await succeed("dd", ["if=/dev/urandom", `of=${path}`, "bs=1M", `count=${MIB}`, "iflag=fullblock"]);
  return path;
}

const digest = async (path: string): Promise<string> =>
  (await succeed("sha256sum", [path], { most: COPY_TIME })).stdout.split(" ")[0];

/** The configuration of a client that reaches the Pi by `way`. */
function clientConfig(gate: SshGate, key: MadeKey, way: string): Promise<string> {
  const { path } = gate.folder;
  return gate.folder.write(
    "client",
    `Host ${GATE_ALIAS}\n HostName 127.0.0.1\n Port ${gate.port}\n User pi\n IdentityFile ${key.file}\n` +
      ` StrictHostKeyChecking no\n UserKnownHostsFile /dev/null\n` +
      `Host ${PI}\n ${way}\n User ${Deno.env.get("USER") ?? "root"}\n IdentityFile ${path}/user\n` +
      ` StrictHostKeyChecking yes\n UserKnownHostsFile ${path}/known\n HostKeyAlias ugate-test\n` +
      `Host *\n IdentitiesOnly yes\n BatchMode yes\n LogLevel ERROR\n IdentityAgent none\n`,
  );
}

/** ugate itself as the way to the gate. */
async function netcat({ folder, port }: SshGate, key: MadeKey): Promise<string> {
  const { stdout } = await succeed("ssh-keyscan", ["-p", String(port), "127.0.0.1"]);
  const known = await folder.write("gate_known", stdout);
  const none = await folder.write("none.yaml", `node: { state: "${folder.path}/nc" }\n`);
  const args = ["nc", "-c", none, "--via", `pi@127.0.0.1:${port}`, "-i", key.file, "--known-hosts", known];
  return `ProxyCommand ${[Deno.execPath(), ...UGATE, ...args].join(" ")} %h:%p`;
}

const WAYS = {
  "ssh -J": () => Promise.resolve(`ProxyJump ${GATE_ALIAS}`),
  "ugate nc": netcat,
} as const;

for (const [name, way] of Object.entries(WAYS)) {
  Deno.test({
    name: `${MIB} MiB by scp and by rsync come whole through a name, each way, by ${name}`,
    ignore,
    async fn() {
      const key = await makeKey();
      await using gate = await SshGate.start({ lines: [`permitlisten="${PI}:22" ${key.line}`] });
      await using sshd = await startSshd(gate.folder);
      await using _node = await gate.stay(
        key,
        ["-R", `${PI}:0:127.0.0.1:${sshd.port}`],
        /remote forward success/,
      );
      const config = await clientConfig(gate, key, await way(gate, key));
      const random = await randomFile(gate.folder), wanted = await digest(random);
      const { path } = gate.folder, most = COPY_TIME;
      const copies = {
        "scp there": ["scp", "-F", config, random, `${PI}:${path}/there`],
        "scp back": ["scp", "-F", config, `${PI}:${path}/there`, `${path}/back`],
        "rsync there": ["rsync", "-e", `ssh -F ${config}`, "-W", random, `${PI}:${path}/there2`],
        "rsync back": ["rsync", "-e", `ssh -F ${config}`, "-W", `${PI}:${path}/there2`, `${path}/back2`],
      };
      for (const [what, [program, ...args]] of Object.entries(copies)) {
        await succeed(program, args, { most });
        const copy = args.at(-1)!.replace(`${PI}:`, "");
        equal([what, await digest(copy)], [what, wanted]);
      }
    },
  });
}
