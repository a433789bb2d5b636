import { namesText, nodeLines } from "../../../gate/commands/nodes.ts";
import { AdminApi } from "../../support/admin_api.ts";
import { equal, ok } from "../../support/assert.ts";
import { nodeStatus } from "../../support/operations.ts";
import { ugate } from "../../support/program.ts";

Deno.test("nodes are a table that shows no control character", async () => {
  await using api = new AdminApi();
  api.state.nodes = [
    nodeStatus({ names: ["pi.mesh.example:22", "pi.mesh.example:443", "db.mesh.example:5432"] }),
    nodeStatus({ id: 8, names: ["evil\x1b[2J:22"], roundTrip: undefined, identity: "jwt:x#\u202ebob" }),
  ];
  const { code, stdout, stderr } = await ugate(["nodes", "--admin", api.address]);
  equal([code, stderr], [0, ""]);
  const [titles, first, second] = stdout.split("\n").map((line) => line.split(/ {2,}/));
  equal(titles, [
    ...[
      "NAMES",
      "IDENTITY",
      "PROOF",
      "PEER",
      "LISTENER",
      "CONNECTED",
      "RTT",
      "STREAMS",
      "SERVED",
      "UP",
      "DOWN",
    ],
  ]);
  equal(first, [
    ...["pi.mesh.example:22,443 db.mesh.example:5432", "key:abcdefgh", "ssh key", "192.0.2.7:4711", "edge"],
    ...[first[5], "12ms", "1", "17", "1.5KiB", "39.1KiB"],
  ]);
  equal(second.slice(0, 2), [String.raw`evil\x1b[2J:22`, String.raw`jwt:x#\u{202e}bob`]);
  ok(!/(?!\n)\p{Cc}|\p{Cf}/u.test(stdout), stdout);
});

Deno.test("nodes are data where that is asked for, and nobody is said to be nobody", async () => {
  await using api = new AdminApi();
  const none = await ugate(["nodes", "--admin", api.address]);
  equal([none.code, none.stdout, none.stderr], [0, "", "no node is connected\n"]);
  api.state.nodes = [nodeStatus()];
  const { code, stdout } = await ugate(["nodes", "--json", "--admin", api.address]);
  equal([code, JSON.parse(stdout)], [0, JSON.parse(JSON.stringify({ total: 1, nodes: api.state.nodes }))]);
});

Deno.test("ports of one name are told together", () => {
  equal(namesText(["a.m:22", "b.m:80", "a.m:443"]), "a.m:22,443 b.m:80");
  equal(namesText([]), "");
});

Deno.test("on a narrow terminal there is who it is and where from, and no title is cut", () => {
  const nodes = Array.from(
    { length: 30 },
    (_, id) => nodeStatus({ id, names: [`pi${id}.mesh.example.com:22`] }),
  );
  for (const width of [40, 60, 80, 120, Infinity]) {
    const [titles, ...lines] = nodeLines(nodes, width, Date.now());
    ok(!titles.includes("…") && /^NAMES +.*PEER/.test(titles), titles);
    ok(lines.length === 30 && lines.every((line) => line.length <= width && line.includes("192.0.2.7:4711")));
  }
});
