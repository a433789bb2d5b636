/** A program: whether the roots of the system vouch for a server with the certificate and key of these files. */
import { clientContext, serverContext } from "../../gate/engine/openssl_context.ts";
import { asGateError } from "../../gate/errors.ts";
import { acceptTls, connectTls } from "../../protocols/tls/secure.ts";
import { onLoop } from "./on_loop.ts";
import { SUBJECTS } from "./stream_pairs.ts";

const [chain, key] = Deno.args.map((path) => Deno.readTextFileSync(path));
await onLoop(async () => {
  const [a, b] = await SUBJECTS["TCP"].pair(), patience = { timeout: 5000 };
  const server = serverContext({ keyPair: { chain, key }, alpn: [], scope: "" });
  const client = clientContext({ roots: "system", alpn: [] });
  const sides = [connectTls(a, client, "up.example", patience), acceptTls(b, server, patience)];
  const [asked, accepted] = await Promise.allSettled(sides);
  for (const side of [asked, accepted]) if (side.status === "fulfilled") side.value.stream[Symbol.dispose]();
  console.log(asked.status === "fulfilled" ? "ok" : asGateError(asked.reason).failure);
});
