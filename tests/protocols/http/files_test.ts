/** Static files, through a gate. */
import { need } from "../../../scripts/clients.ts";
import { equal, ok } from "../../support/assert.ts";
import { Folder, run, succeed } from "../../support/child.ts";
import { openSockets } from "../../support/descriptors.ts";
import { startGate, type TestGate } from "../../support/gate.ts";
import { readResponse } from "../../support/http_peers.ts";
import { connect, pattern } from "../../support/net.ts";

const BIG = 3_000_000;

async function website(): Promise<Folder> {
  const folder = await Folder.make();
  await Deno.mkdir(`${folder.path}/www/sub/empty`, { recursive: true });
  await folder.write("www/index.html", "<h1>home</h1>");
  await folder.write("www/hello.txt", "hello, world\n");
  await folder.write("www/nothing", "");
  await folder.write("www/big.bin", pattern(BIG));
  await folder.write("www/sub/index.html", "sub");
  await folder.write("www/closed", "secret", 0o000);
  await folder.write("secret", "secret");
  return folder;
}

const serve = (folder: Folder, more = "") =>
  startGate(`
admin: { address: off }
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ files: "${folder.path}/www"${more} }]
`);

async function ask(gate: TestGate, request: string, isHead = false) {
  await using client = await connect(gate.port("web"));
  await client.write(request.replaceAll("\n", "\r\n") + "\r\n\r\n");
  return await readResponse(client, isHead);
}
const get = (gate: TestGate, path: string, fields = "") =>
  ask(gate, `GET ${path} HTTP/1.1\nHost: a${fields}`);
const fieldOf = (head: string, name: string) => new RegExp(`^${name}: (.*)\r$`, "im").exec(head)?.[1];

Deno.test("a file comes with its type, its length, a tag and the time of its last change", async () => {
  await using folder = await website();
  await using gate = await serve(folder);
  await Deno.utime(`${folder.path}/www/hello.txt`, 1_700_000_000, 1_700_000_000);
  const { status, head, content } = await get(gate, "/hello.txt?x=1");
  equal([status, content], [200, "hello, world\n"]);
  equal(fieldOf(head, "Content-Type"), "text/plain; charset=utf-8");
  equal(fieldOf(head, "Last-Modified"), "Tue, 14 Nov 2023 22:13:20 GMT");
  equal(fieldOf(head, "Content-Length"), "13");
  equal(fieldOf(head, "Accept-Ranges"), "bytes");
  ok(/^"[0-9a-f.]+-d"$/.test(fieldOf(head, "ETag")!) && fieldOf(head, "Date"));
  equal((await get(gate, "/")).content, "<h1>home</h1>");
  equal(fieldOf((await get(gate, "/")).head, "Content-Type"), "text/html; charset=utf-8");
  equal(fieldOf((await get(gate, "/big.bin")).head, "Content-Type"), "application/octet-stream");
  const empty = await get(gate, "/nothing");
  equal([empty.status, empty.content, fieldOf(empty.head, "Content-Length")], [200, "", "0"]);
});

Deno.test("HEAD says what GET would, and brings nothing", async () => {
  await using folder = await website();
  await using gate = await serve(folder);
  for (const path of ["/hello.txt", "/big.bin", "/none", "/sub"]) {
    const full = await get(gate, path), { head } = await ask(gate, `HEAD ${path} HTTP/1.1\nHost: a`, true);
    const plain = (head: string) => head.replace(/^Date: .*\r\n/m, "");
    equal(plain(head), plain(full.head), path);
  }
});

Deno.test("a directory has its index, its slash, and no list", async () => {
  await using folder = await website();
  await using gate = await serve(folder);
  const moved = await get(gate, "//sub?q=1");
  equal([moved.status, fieldOf(moved.head, "Location")], [301, "/sub/?q=1"]);
  equal(moved.head.match(/^Date: .* GMT\r$/gm)?.length, 1, moved.head);
  equal((await get(gate, "/sub/")).content, "sub");
  equal((await get(gate, "/sub/empty/")).status, 404);
});

Deno.test("what is not there, or not for everybody, is told in the gate's own words", async () => {
  await using folder = await website();
  await using gate = await serve(folder);
  for (
    const path of ["/none", "/../secret", "/%2e%2e/secret", "/sub/..%2f..%2fsecret", "/..;/secret", "/.git"]
  ) {
    const { status, head, content } = await get(gate, path);
    equal([status, content], [404, "no-route: There is no such file.\n"], path);
    equal(fieldOf(head, "Content-Type"), "text/plain; charset=utf-8");
  }
  if (Deno.uid() !== 0) equal((await get(gate, "/closed")).status, 403);
});

Deno.test("files are only read: other methods, and content, are refused", async () => {
  await using folder = await website();
  await using gate = await serve(folder);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "get"]) {
    const { status, head } = await ask(gate, `${method} /hello.txt HTTP/1.1\nHost: a\nContent-Length: 0`);
    equal([status, fieldOf(head, "Allow")], [405, "GET, HEAD"], method);
  }
  equal((await ask(gate, "GET /hello.txt HTTP/1.1\nHost: a\nContent-Length: 2\n\nhi")).status, 413);
});

Deno.test("parts of a file come as they are asked for", async () => {
  await using folder = await website();
  await using gate = await serve(folder);
  const part = (value: string, more = "") => get(gate, "/hello.txt", `\nRange: ${value}${more}`);
  const some = await part("bytes=7-11");
  equal([some.status, some.content, fieldOf(some.head, "Content-Range")], [206, "world", "bytes 7-11/13"]);
  equal((await part("bytes=-6")).content, "world\n");
  const none = await part("bytes=13-");
  equal([none.status, none.content, fieldOf(none.head, "Content-Range")], [416, "", "bytes */13"]);
  equal((await part("lines=1")).status, 200);
  const etag = fieldOf(some.head, "ETag")!;
  equal((await part("bytes=0-0", `\nIf-Range: ${etag}`)).status, 206);
  equal((await part("bytes=0-0", '\nIf-Range: "other"')).content, "hello, world\n");
  const many = await part("bytes=0-4,7-11");
  const boundary = /^multipart\/byteranges; boundary=(\S+)$/.exec(fieldOf(many.head, "Content-Type")!)![1];
  const head = (range: string) =>
    `Content-Type: text/plain; charset=utf-8\r\nContent-Range: bytes ${range}/13\r\n\r\n`;
  equal(
    many.content,
    `--${boundary}\r\n${head("0-4")}hello\r\n--${boundary}\r\n${head("7-11")}world\r\n--${boundary}--\r\n`,
  );
  equal(many.status, 206);
});

Deno.test("who has the file already is told so, until it is another one", async () => {
  await using folder = await website();
  await using gate = await serve(folder);
  const etag = fieldOf((await get(gate, "/hello.txt")).head, "ETag")!;
  const same = await get(gate, "/hello.txt", `\nIf-None-Match: "x"\nIf-None-Match: ${etag}`);
  equal([same.status, same.content, fieldOf(same.head, "ETag")], [304, "", etag]);
  equal(fieldOf(same.head, "Content-Length"), undefined);
  equal((await get(gate, "/hello.txt", '\nIf-Match: "x"')).status, 412);
  await folder.write("www/hello.txt", "hello, again\n");
  equal((await get(gate, "/hello.txt", `\nIf-None-Match: ${etag}`)).content, "hello, again\n");
});

Deno.test("files are found below the prefix that the route matches, and several routes have their own", async () => {
  await using folder = await website();
  await Deno.mkdir(`${folder.path}/other`);
  await folder.write("other/x", "other");
  await using gate = await startGate(`
admin: { address: off }
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes:
  - { path: /other/deep, files: "${folder.path}/other" }
  - { path: /static/, files: "${folder.path}/www" }
`);
  equal((await get(gate, "/static/hello.txt")).content, "hello, world\n");
  equal((await get(gate, "/other/deep/x")).content, "other");
  equal(fieldOf((await get(gate, "/static")).head, "Location"), "/static/");
  equal((await get(gate, "/static/x")).status, 404);
  equal((await get(gate, "/static/..%2fx")).status, 400);
});

Deno.test("one connection gets many files, large and small, and so does a pipeline", async () => {
  await using folder = await website();
  await using gate = await serve(folder);
  await using client = await connect(gate.port("web"));
  const whole = String.fromCharCode(...pattern(BIG).subarray(0, 1000));
  for (let i = 0; i < 20; i++) {
    await client.write(`GET /${i % 2 ? "big.bin" : "hello.txt"} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const { content } = await readResponse(client);
    if (i % 2 === 0) equal(content, "hello, world\n");
    else equal([content.length, content.slice(0, 1000)], [BIG, whole]);
  }
  await client.write("GET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n".repeat(30));
  for (let i = 0; i < 30; i++) equal((await readResponse(client)).content, "hello, world\n");
  client.end();
  const line = await gate.request(({ path }) => path === "/big.bin");
  equal([line.status, line.down, line.endpoint, line.outcome], [200, BIG, `${folder.path}/www`, "ok"]);
});

Deno.test({
  name: "curl gets parts of a file of 1 GiB that is mostly holes, and all of a large one, byte by byte",
  ignore: !need("curl"),
  async fn() {
    await using folder = await website();
    await using gate = await serve(folder);
    const url = `http://127.0.0.1:${gate.port("web")}`;
    equal((await succeed("curl", ["-s", `${url}/big.bin`])).bytes, pattern(BIG));
    await Deno.writeFile(`${folder.path}/www/sparse`, new Uint8Array());
    await Deno.truncate(`${folder.path}/www/sparse`, 1 << 30);
    {
      using file = await Deno.open(`${folder.path}/www/sparse`, { write: true });
      await file.seek((1 << 30) - 5, Deno.SeekMode.Start);
      await file.write(new TextEncoder().encode("end"));
    }
    const tail = await succeed("curl", ["-s", "-r", "-5", `${url}/sparse`]);
    equal(tail.stdout, "end\0\0");
    const middle = await succeed("curl", ["-s", "-r", "500000000-504999999", `${url}/sparse`]);
    equal([middle.bytes.length, middle.bytes.some((octet) => octet !== 0)], [5_000_000, false]);
    const resumed = await succeed("curl", ["-s", "-C", String((1 << 30) - 3), `${url}/sparse`]);
    equal(resumed.stdout, "d\0\0");
  },
});

Deno.test("a client that goes away in the middle leaves nothing open", async () => {
  await using folder = await website();
  await Deno.truncate(await folder.write("www/sparse", ""), 1 << 30);
  await using gate = await serve(folder);
  const open = () =>
    [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
      try {
        return Deno.readLinkSync(`/proc/self/fd/${name}`).startsWith(folder.path);
      } catch {
        return false; // that of this listing
      }
    }).length;
  for (let i = 0; i < 10; i++) {
    await using client = await connect(gate.port("web"));
    await client.write("GET /sparse HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.read(200_000);
    ok(open() > 0);
    client.reset();
  }
  for (let i = 0; i < 10; i++) equal((await gate.record()).side, "client");
  for (let i = 0; i < 100 && open() > 0; i++) equal((await get(gate, "/hello.txt")).status, 200);
  equal(open(), 0);
});

Deno.test("a file that becomes shorter on its way is cut, and never looks whole", async () => {
  await using folder = await website();
  const sparse = await folder.write("www/sparse", "");
  await Deno.truncate(sparse, 1 << 30);
  await using gate = await serve(folder);
  await using client = await connect(gate.port("web"));
  await client.write("GET /sparse HTTP/1.1\r\nHost: a\r\n\r\n");
  await client.read(100_000);
  await Deno.truncate(sparse, 1000);
  const rest = await client.readAll().then(({ length }) => length, () => "reset" as const);
  ok(rest === "reset" || rest < 1 << 30);
  equal((await gate.record()).side, "upstream");
});

Deno.test("a configuration that names no directory is refused, with the place", async () => {
  await using folder = await website();
  const wrong = async (files: string, more = "") => {
    const gate = startGate(`
admin: { address: off }
listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }
routes: [{ files: "${files}"${more} }]`);
    return await gate.then(async (gate) => {
      await gate.close();
      return "";
    }, (error: Error) => error.message);
  };
  ok(/routes\[0\]\.files.*there is no such directory/.test(await wrong(`${folder.path}/none`)));
  ok(/routes\[0\]\.files.*expected a directory/.test(await wrong(`${folder.path}/secret`)));
  ok(/routes\[0\]\.path.*needs to be a prefix/.test(await wrong(folder.path, ", path: { exact: /x }")));
  ok(/routes\[0\]\.files.*excludes to/.test(await wrong(folder.path, ', to: "http://127.0.0.1:1"')));
});

Deno.test({
  name: "a relative directory is from where the configuration's file is",
  async fn() {
    await using folder = await website();
    const file = await folder.write(
      "ugate.yaml",
      'listeners: { web: { address: "127.0.0.1:0", protocols: [http] } }\nroutes: [{ files: www }]\n',
    );
    const main = new URL("../../../main.ts", import.meta.url).pathname;
    const checked = await run(Deno.execPath(), ["run", "-A", "--no-check", main, "check", "-c", file]);
    equal(checked.code, 0, checked.stderr);
    await Deno.rename(`${folder.path}/www`, `${folder.path}/gone`);
    const again = await run(Deno.execPath(), ["run", "-A", "--no-check", main, "check", "-c", file]);
    equal(again.code, 1);
    ok(again.stderr.includes(`Cannot serve ${folder.path}/www: there is no such directory`), again.stderr);
  },
});

Deno.test("whose credentials are a connection's own gets files without leaving descriptors behind", async () => {
  await using folder = await website();
  await using gate = await serve(folder);
  await using client = await connect(gate.port("web"));
  const ask = async () => {
    await client.write("GET /hello.txt HTTP/1.1\r\nHost: a\r\nAuthorization: NTLM x\r\n\r\n");
    equal((await readResponse(client)).status, 200);
  };
  await ask();
  const before = openSockets();
  for (let i = 0; i < 100; i++) await ask();
  ok(openSockets() < before + 100, `${openSockets() - before} more sockets`);
});
