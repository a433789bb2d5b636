import { AdminClient } from "../../../gate/commands/admin_client.ts";
import { isStatus } from "../../../gate/commands/gate_answers.ts";
import type { Target } from "../../../gate/address.ts";
import { AdminApi } from "../../support/admin_api.ts";
import { equal, fails, ok, rejects } from "../../support/assert.ts";
import { Folder } from "../../support/child.ts";

const nobody = () => {};

const targetOf = (port: number): Target => ({ host: "127.0.0.1", port });
const clientOf = ({ address }: AdminApi) =>
  new AdminClient(
    address.startsWith("unix:") ? { host: address, port: 0 } : targetOf(Number(address.split(":")[1])),
    nobody,
  );

Deno.test("a status comes over TCP and over a unix socket, and no Host is sent that the gate would refuse", async () => {
  await using folder = await Folder.make();
  for (const path of [undefined, `${folder.path}/admin.sock`]) {
    await using api = new AdminApi(path);
    const hosts: (string | null)[] = [];
    api.state.seen = ({ headers }) => void hosts.push(headers.get("host"));
    const status = await clientOf(api).json({ path: "/status" }, isStatus);
    equal([status, hosts], [api.state.status, [path ? "localhost" : api.address]]);
  }
});

Deno.test("a gate that is not there is told with its place and why", async () => {
  using closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = closed.addr;
  closed.close();
  const client = new AdminClient(targetOf(port), nobody);
  const place = `Cannot reach the gate at 127.0.0.1:${port}`;
  await rejects(client.ask({ path: "/" }), new RegExp(`^${place}: nobody listens there; is it running\\?$`));
  const socket = new AdminClient({ host: "unix:/nowhere/admin.sock", port: 0 }, nobody);
  await rejects(
    socket.ask({ path: "/" }),
    /^Cannot reach the gate at unix:\/nowhere\/admin\.sock: there is no such socket/,
  );
  await fails(socket.ask({ path: "/" }), "unreachable");
});

Deno.test("who listens and says nothing is given up, by time and by who waits; slowness is told", async () => {
  using deaf = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const client = new AdminClient(targetOf(deaf.addr.port), nobody);
  await rejects(client.ask({ path: "/", time: 50 }), /: no answer within 0\.05 s$/);
  const abort = new AbortController();
  const slow = Promise.withResolvers<void>();
  const patient = new AdminClient(targetOf(deaf.addr.port), slow.resolve);
  const asked = patient.ask({ path: "/", signal: abort.signal });
  await slow.promise;
  abort.abort();
  await rejects(asked, /nobody waits/);
});

for (
  const [what, bytes, says] of [
    ["no HTTP", "SSH-2.0-x\r\n", /speaks no HTTP$/],
    [
      "half an answer",
      "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
      /: (it ended in the middle|.*aborted|.*cut)/,
    ],
    ["nothing", "", /: /],
  ] as const
) {
  Deno.test(`${what} is no answer`, async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const served = (async () => {
      using conn = await listener.accept();
      await conn.read(new Uint8Array(1000));
      await conn.write(new TextEncoder().encode(bytes));
    })();
    const client = new AdminClient(targetOf(listener.addr.port), nobody);
    const asked = client.ask({ path: "/" });
    await rejects(asked, /^Cannot reach the gate at 127\.0\.0\.1:/);
    await rejects(asked, says);
    await served;
  });
}

Deno.test("what is no gate, or of another version, is told and not believed", async () => {
  await using api = new AdminApi();
  const client = clientOf(api);
  await rejects(
    client.json({ path: "/nothing?x=1" }, isStatus),
    /^Cannot GET \/nothing of the gate at .*: it answers 404: Cannot find this page$/,
  );
  await rejects(client.json({ path: "/connections?most=1" }, isStatus), /not what was asked for$/);
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("\x1b[2Jevil\nmore", { status: 500 }),
  );
  const other = new AdminClient(targetOf(server.addr.port), nobody);
  await rejects(other.json({ path: "/status" }, isStatus), /it answers 500: \\x1b\[2Jevil$/);
});

Deno.test("a proxy of the environment is not asked, and a large answer comes whole", async () => {
  await using api = new AdminApi();
  api.state.status = { ...api.state.status, version: "x".repeat(3_000_000) };
  Deno.env.set("HTTP_PROXY", "http://127.0.0.1:1");
  try {
    const status = await clientOf(api).json({ path: "/status" }, isStatus);
    ok(status.version.length === 3_000_000);
  } finally {
    Deno.env.delete("HTTP_PROXY");
  }
});
