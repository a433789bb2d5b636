/** Forwards of the SSH clients that people have, through a whole gate: compared byte by byte. */
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { listenEcho } from "../support/net.ts";
import { pattern } from "../support/pattern.ts";
import { makeKey, SshGate } from "../support/ssh_gate.ts";

/** More than a few windows. */
const BYTES = pattern(3_000_000, 7);

const same = (bytes: Uint8Array): boolean =>
  bytes.length === BYTES.length && bytes.every((byte, i) => byte === BYTES[i]);

Deno.test({
  name: "OpenSSH: -W carries every byte, and the journal has a line for each channel",
  ignore: !need("ssh"),
  async fn() {
    await using echo = await listenEcho();
    const key = await makeKey();
    await using gate = await SshGate.start({ lines: [key.line] });
    const { bytes, stderr } = await gate.fetch(key, `127.0.0.1:${echo.port}`, BYTES);
    ok(same(bytes), `${bytes.length} ${stderr}`);
    const record = await gate.gate.record(({ parent }) => parent !== undefined);
    const { outcome, target, endpoint, up, down, user, listener, protocol } = record;
    equal([outcome, target, endpoint], ["ok", `127.0.0.1:${echo.port}`, `127.0.0.1:${echo.port}`]);
    equal([up, down, user, listener, protocol], [BYTES.length, BYTES.length, "pi", "s", "ssh"]);
    const outer = await gate.gate.record(({ id }) => id === record.parent);
    equal(outer.parent, undefined);
  },
});
