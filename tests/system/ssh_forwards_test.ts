/** Forwards of OpenSSH's client through a whole gate, compared byte by byte. */
import { freePort } from "../../scripts/free_ports.ts";
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { run } from "../support/child.ts";
import { connect, connectUnix, listen, listenEcho, socks } from "../support/net.ts";
import { pattern } from "../support/pattern.ts";
import { DOMAIN, makeCertificate, makeKey, SSH, SshGate } from "../support/ssh_gate.ts";
import { openssl } from "../../gate/engine/openssl_library.ts";

openssl(); // stays loaded

/** More than a few windows. */
const BYTES = pattern(3_000_000, 7);
const ACCEPTED = /remote forward success/;

const same = (bytes: Uint8Array): boolean =>
  bytes.length === BYTES.length && bytes.every((byte, i) => byte === BYTES[i]);

Deno.test({
  name: "-W carries every byte, and the journal has a line for each channel",
  ignore: !need("ssh"),
  async fn() {
    await using echo = await listenEcho();
    const key = await makeKey(), place = `127.0.0.1:${echo.port}`;
    await using gate = await SshGate.start({ lines: [key.line] });
    const { bytes, stderr } = await gate.fetch(key, place, BYTES);
    ok(same(bytes), `${bytes.length} ${stderr}`);
    const record = await gate.gate.record(({ parent }) => parent !== undefined);
    const { outcome, target, endpoint, up, down, user, listener, protocol } = record;
    equal([outcome, target, endpoint, protocol], ["ok", place, place, "ssh"]);
    equal([up, down, user, listener], [BYTES.length, BYTES.length, "pi", "s"]);
    const outer = await gate.gate.record(({ id }) => id === record.parent);
    equal([outer.parent, outer.target], [undefined, undefined]);
  },
});

Deno.test({
  name: "-L and -D carry every byte both ways, and ends as ends",
  ignore: !need("ssh"),
  async fn() {
    await using echo = await listenEcho();
    const key = await makeKey(), [local, dynamic] = [freePort(), freePort()];
    await using gate = await SshGate.start({ lines: [key.line] });
    await using _ssh = await gate.stay(
      key,
      ["-L", `${local}:localhost:${echo.port}`, "-D", String(dynamic)],
      new RegExp(`Local forwarding listening on 127\\.0\\.0\\.1 port ${dynamic}\\b`), // the last one
    );
    await using plain = await connect(local);
    await using asked = await connect(dynamic);
    await socks(asked, "127.0.0.1", echo.port);
    for (const client of [plain, asked]) {
      const [got] = await Promise.all([client.readAll(), client.write(BYTES).then(() => client.end())]);
      ok(same(got), `${got.length}`);
    }
  },
});

Deno.test({
  name: "a backend that speaks and closes at once loses nothing, by -W, -L and -R",
  ignore: !need("ssh"),
  async fn() {
    await using greeter = await listen((socket) => socket.end("220 hello\r\n"));
    const key = await makeKey(), [local, remote] = [freePort(), freePort()];
    await using gate = await SshGate.start({ lines: [`permitlisten="${remote}" ${key.line}`] });
    await using _ssh = await gate.stay(key, [
      ...["-L", `${local}:127.0.0.1:${greeter.port}`, "-R", `${remote}:127.0.0.1:${greeter.port}`],
    ], ACCEPTED);
    for (let i = 0; i < 20; i++) {
      for (const port of [local, remote]) {
        await using client = await connect(port);
        equal(await client.text(), "220 hello\r\n");
      }
    }
    // node:net forgets what it had to say to who has ended already, as ssh does here at once.
    using plain = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const greeted = plain.accept().then(async (socket) => {
      await socket.write(new TextEncoder().encode("220 hello\r\n"));
      socket.close();
    });
    equal((await gate.fetch(key, `127.0.0.1:${plain.addr.port}`)).stdout, "220 hello\r\n");
    await greeted;
  },
});

Deno.test({
  name:
    "-R of an ordinary port is a socket on loopback, which carries every byte and is gone with its client",
  ignore: !need("ssh"),
  async fn() {
    await using echo = await listenEcho();
    const key = await makeKey(), port = freePort();
    await using gate = await SshGate.start({ lines: [`permitlisten="${port}" ${key.line}`] });
    {
      await using _ssh = await gate.stay(key, ["-R", `${port}:127.0.0.1:${echo.port}`], ACCEPTED);
      for (const host of ["127.0.0.1", "::1"]) {
        await using client = await connect(port, host);
        const [got] = await Promise.all([client.readAll(), client.write(BYTES).then(() => client.end())]);
        ok(same(got), `${host} ${got.length}`);
        const { outcome, target, endpoint, peer, up, down, parent, user } = await gate.gate.record(
          ({ parent }) => parent !== undefined,
        );
        const at = host === "::1" ? "[::1]" : host;
        equal([outcome, target, up, down], ["ok", `${at}:${port}`, BYTES.length, BYTES.length]);
        ok(peer.startsWith(`${at}:`) && / ssh$/.test(endpoint!) && parent && !user, JSON.stringify(peer));
      }
    }
    await gate.gate.record(({ parent }) => parent === undefined);
    equal(await connect(port).then(() => "there", (error) => error.code), "ECONNREFUSED");
  },
});

Deno.test({
  name: "a cancelled -R closes its socket, and may be asked for again",
  ignore: !need("ssh"),
  async fn() {
    await using echo = await listenEcho();
    const key = await makeKey(), port = freePort();
    await using gate = await SshGate.start({ lines: [`permitlisten="${port}" ${key.line}`] });
    const control = `${gate.folder.path}/control`, forward = ["-R", `${port}:127.0.0.1:${echo.port}`];
    await using _ssh = await gate.stay(key, ["-M", "-S", control, ...forward], ACCEPTED);
    const command = async (verb: string) =>
      (await run("ssh", [...SSH, "-S", control, "-O", verb, ...forward, "pi@127.0.0.1"])).code;
    equal(await command("cancel"), 0);
    const look = () =>
      connect(port).then(async (client) => {
        await client[Symbol.asyncDispose]();
        return "there";
      }, (error) => error.code);
    let found = await look();
    for (let looks = 0; looks < 100 && found !== "ECONNREFUSED"; looks++) found = await look(); // ssh does not wait for the answer
    equal(found, "ECONNREFUSED");
    equal(await command("forward"), 0);
    await using client = await connect(port);
    await client.write("again");
    equal(new TextDecoder().decode(await client.read(5)), "again");
  },
});

Deno.test({
  name: "unix sockets: -L and -R at paths that a rule names, with mode 0600, in nobody's place",
  ignore: !need("ssh"),
  async fn() {
    const key = await makeKey(), dir = await Deno.makeTempDir({ prefix: "ugate-test-" });
    try {
      await using _echo = await listen((socket) => socket.pipe(socket), `${dir}/far`);
      const rule = `{ allow: { protocol: ssh, addresses: ["unix:${dir}/far", "unix:${dir}/near"] } }`;
      await using gate = await SshGate.start({ lines: [key.line], policy: [rule] });
      {
        await using _ssh = await gate.stay(key, [
          ...["-L", `${dir}/local:${dir}/far`, "-R", `${dir}/near:${dir}/far`],
        ], ACCEPTED);
        equal((await Deno.stat(`${dir}/near`)).mode! & 0o777, 0o600);
        for (const path of [`${dir}/local`, `${dir}/near`]) {
          await using client = await connectUnix(path);
          const [got] = await Promise.all([client.readAll(), client.write(BYTES).then(() => client.end())]);
          ok(same(got), `${path} ${got.length}`);
        }
        const second = await run("ssh", [
          ...gate.args(key, ["-N", "-o", "ExitOnForwardFailure=yes", "-R", `${dir}/near:${dir}/far`]),
        ]);
        equal(second.code, 255);
        ok(/remote port forwarding failed/.test(second.stderr), second.stderr);
      }
      await gate.gate.record(({ parent }) => parent === undefined);
      await gate.gate.record(({ parent }) => parent === undefined);
      equal(await Deno.stat(`${dir}/near`).then(() => "there", () => "gone"), "gone");
      await Deno.writeTextFile(`${dir}/near`, "mine");
      const third = ["-N", "-o", "ExitOnForwardFailure=yes", "-R", `${dir}/near:${dir}/far`];
      equal((await run("ssh", gate.args(key, third))).code, 255);
      equal(await Deno.readTextFile(`${dir}/near`), "mine");
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});

Deno.test({
  name:
    "-R of port 0 is answered 15022 and makes the client's names reachable: by -J, and by a port of its own",
  ignore: !need("ssh"),
  async fn() {
    const node = await makeKey(), user = await makeKey(), authority = await makeKey();
    const certified = await makeCertificate(authority, { principals: "pi" });
    await using inner = await SshGate.start({ lines: [user.line] }); // the node's own SSH
    await using echo = await listenEcho();
    const pi = `pi.${DOMAIN}`;
    await using gate = await SshGate.start({
      lines: [node.line, user.line, `cert-authority ${authority.line}`],
    });
    await using _ssh = await gate.stay(
      certified,
      ["-R", `0:127.0.0.1:${inner.port}`, "-R", `${pi}:8080:127.0.0.1:${echo.port}`],
      /Allocated port 15022 for remote forward/,
    );
    const jump = `ssh ${gate.args(user, ["-W", "[%h]:%p"]).join(" ")}`;
    for (const port of ["22", "15022"]) {
      const reached = await run("ssh", [
        ...[...SSH, "-i", user.file, "-o", `ProxyCommand=${jump}`, "-p", port],
        ...["-W", `127.0.0.1:${echo.port}`, `pi@${pi}`],
      ], { stdin: BYTES });
      ok(same(reached.bytes), `${port} ${reached.stderr}`);
    }
    const { bytes, stderr } = await gate.fetch(user, `${pi}:8080`, BYTES);
    ok(same(bytes), stderr);
  },
});
