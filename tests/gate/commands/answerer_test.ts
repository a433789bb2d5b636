/** A command that root says does not write where a stranger who answers wants it to. */
import { mayName } from "../../../gate/commands/answerer.ts";
import { freePort } from "../../../scripts/free_ports.ts";
import { need } from "../../../scripts/clients.ts";
import { equal, ok } from "../../support/assert.ts";
import { Folder } from "../../support/child.ts";
import { ugate } from "../../support/program.ts";

const NOBODY = 65534, ROOT = Deno.uid() === 0;

Deno.test("root and oneself may name a file, and nobody who is not known", async () => {
  await using folder = await Folder.make();
  const file = await folder.write("ugate.yaml", "");
  equal(await Promise.all([0, Deno.uid()!, undefined].map((user) => mayName(user, file))), [
    true,
    true,
    false,
  ]);
});

Deno.test({
  name: "another user may name what is its own or its group's, and nothing else",
  ignore: !ROOT,
  async fn() {
    await using folder = await Folder.make();
    const file = await folder.write("ugate.yaml", "");
    const verdicts: boolean[] = [];
    for (const [uid, gid] of [[0, 0], [NOBODY, 0], [0, NOBODY]]) {
      await Deno.chown(file, uid, gid);
      verdicts.push(await mayName(NOBODY, file));
    }
    equal([...verdicts, await mayName(NOBODY, `${file}.none`)], [false, true, true, false]);
  },
});

Deno.test({
  name: "confirm does not believe a stranger who answers as the gate",
  ignore: !ROOT || !need("socat"),
  async fn() {
    await using folder = await Folder.make();
    const file = await folder.write("passwd", "old\n"), port = freePort();
    const body = JSON.stringify({ id: "x", file, text: "new\n", left: 60_000 });
    await Deno.chmod(folder.path, 0o755);
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const script = await folder.write("answer", answer, 0o644);
    const stranger = new Deno.Command("socat", {
      args: [`TCP-LISTEN:${port},bind=127.0.0.1,reuseaddr,fork`, `SYSTEM:cat ${script}; sleep 5`],
      uid: NOBODY,
      stdin: "null",
      stderr: "null",
    }).spawn();
    try {
      const { code, stderr } = await untilThere(() => ugate(["confirm", "--admin", `127.0.0.1:${port}`]));
      equal([code, await Deno.readTextFile(file)], [1, "old\n"]);
      ok(stderr.includes(`and user ${NOBODY} has no part in that file`), stderr);
    } finally {
      stranger.kill();
      await stranger.status;
    }
  },
});

/** Until the stranger listens. */
async function untilThere(ask: () => ReturnType<typeof ugate>): ReturnType<typeof ugate> {
  for (let left = 20;; left--) {
    const said = await ask();
    if (left === 0 || !said.stderr.includes("nobody listens there")) return said;
  }
}
