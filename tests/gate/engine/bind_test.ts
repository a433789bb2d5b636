import { listenOn } from "../../../gate/engine/bind.ts";
import { equal, ok, throws } from "../../support/assert.ts";
import { connect, connectUnix } from "../../support/net.ts";
import { Folder } from "../../support/child.ts";

Deno.test("port 0 becomes the port that the kernel chose, and it can be connected to", async () => {
  for (const host of ["127.0.0.1", "::1", ""]) {
    const listening = listenOn({ host, port: 0 });
    try {
      ok(listening.address.port > 0);
      for (const to of host === "" ? ["127.0.0.1", "::1"] : [host]) {
        await using client = await connect(listening.address.port, to);
        client.end();
      }
    } finally {
      listening.close();
    }
  }
});

Deno.test("an IPv6 address of its own leaves the IPv4 port to others", () => {
  const v6 = listenOn({ host: "::", port: 0 });
  try {
    listenOn({ host: "127.0.0.1", port: v6.address.port }).close();
  } finally {
    v6.close();
  }
});

Deno.test("what cannot be listened on says why", () => {
  const taken = listenOn({ host: "127.0.0.1", port: 0 });
  try {
    throws(() => listenOn(taken.address), /Cannot listen on 127\.0\.0\.1:\d+: another program has it/);
  } finally {
    taken.close();
  }
  throws(() => listenOn({ host: "192.0.2.1", port: 0 }), /this machine has no such address/);
  throws(() => listenOn({ host: "unix:/no/such/folder/sock", port: 0 }), /ENOENT/);
});

Deno.test("a unix socket whose process is dead is taken over; one that answers, or a plain file, is not", async () => {
  await using folder = await Folder.make();
  const path = await folder.write("plain", "not a socket"), host = `unix:${path}.sock`;
  throws(() => listenOn({ host: `unix:${path}`, port: 0 }), /Cannot listen/);
  equal(await Deno.readTextFile(path), "not a socket");
  const first = listenOn({ host, port: 0 });
  throws(() => listenOn({ host, port: 0 }), /another program has it/);
  await using client = await connectUnix(`${path}.sock`);
  client.end();
  await Deno.rename(`${path}.sock`, `${path}.kept`);
  first.close();
  await Deno.rename(`${path}.kept`, `${path}.sock`);
  const second = listenOn({ host, port: 0 });
  second.close();
  equal([...Deno.readDirSync(path.slice(0, path.lastIndexOf("/")))].map(({ name }) => name), ["plain"]);
});
