import { locate, type Located } from "../../../../protocols/http/files/located.ts";
import { equal, ok } from "../../../support/assert.ts";
import { Folder } from "../../../support/child.ts";

/** `www` with what is served, and `secret` beside it. */
async function site(): Promise<Folder> {
  const folder = await Folder.make();
  await Deno.mkdir(`${folder.path}/www/sub/.git`, { recursive: true });
  await Deno.mkdir(`${folder.path}/www/.well-known`);
  await Deno.mkdir(`${folder.path}/outside`);
  for (
    const name of [
      ...["www/index.html", "www/a.txt", "www/ä b.txt", "www/a;b", "www/.htpasswd", "www/sub/index.html"],
      ...[
        "www/sub/.git/config",
        "www/.well-known/x",
        "www/.well-known/.y",
        "outside/secret",
        "www/a%41",
        "www/...",
      ],
    ]
  ) await folder.write(name, name);
  const link = (to: string, name: string) => Deno.symlink(to, `${folder.path}/www/${name}`);
  await link("a.txt", "inside");
  await link("sub", "folder");
  await link("../outside/secret", "out");
  await link("../outside", "away");
  await link(`${folder.path}/www/a.txt`, "absolute");
  await link("/etc/passwd", "passwd");
  await link("loop", "loop");
  await link("/proc/self/fd", "fds");
  return folder;
}

/** What is found: the text of a file, where a directory is, or `absent`. */
async function found(located: Located): Promise<string> {
  if (located.is !== "file") return located.is === "directory" ? `${located.path}/` : "absent";
  using file = located.file;
  return await Deno.readTextFile(`/proc/self/fd/${file.fd}`);
}

Deno.test("a path means a file below the directory, by whatever spelling of it is safe", async () => {
  await using folder = await site();
  const cases: Record<string, string> = {
    "/": "www/index.html",
    "/a.txt": "www/a.txt",
    "/%61.txt": "www/a.txt",
    "//a.txt": "www/a.txt",
    "/%C3%A4%20b.txt": "www/ä b.txt",
    "/a;b": "www/a;b",
    "/a%3bb": "www/a;b",
    "/a%2541": "www/a%41",
    "/sub": "/sub/",
    "/sub/": "www/sub/index.html",
    "//sub": "/sub/",
    "/folder": "/folder/",
    "/folder/": "www/sub/index.html",
    "/inside": "www/a.txt",
    "/.well-known/x": "www/.well-known/x",
    "/%2ewell-known/x": "www/.well-known/x",
  };
  for (const [path, expected] of Object.entries(cases)) {
    equal(await found(locate({ directory: `${folder.path}/www`, prefix: "" }, path)), expected, path);
  }
});

Deno.test("no path leads out of the directory, to a hidden file, or to what is no file", async () => {
  await using folder = await site();
  const absent = [
    ...[
      "/none",
      "/a.txt/",
      "/a.txt/x",
      "/.htpasswd",
      "/%2ehtpasswd",
      "/sub/.git/config",
      "/sub/.git/",
      "/...",
    ],
    ...["/.well-known/.y", "/sub/.well-known/x", "/.well-known/", "/.well-knownx", "*", "a.txt"],
    ...["/../outside/secret", "/%2e%2e/outside/secret", "/%2E%2E%2foutside/secret", "/..%2foutside/secret"],
    ...[
      "/..;/outside/secret",
      "/sub/../../outside/secret",
      "/..%5coutside",
      "/..\\outside\\secret",
      "/a.txt%00",
    ],
    ...["/%c0%ae%c0%ae/outside/secret", "/%252e%252e/outside/secret", "/.//../outside/secret", "/./a.txt"],
    ...["/out", "/away/secret", "/away/", "/away", "/absolute", "/passwd", "/loop", "/fds/0", "/fds"],
    ...[`/${"x".repeat(300)}`, `/${"x/".repeat(3000)}`, "/%", "/%zz", "/a.txt%"],
  ];
  for (const path of absent) {
    equal(await found(locate({ directory: `${folder.path}/www`, prefix: "" }, path)), "absent", path);
  }
});

Deno.test("the matched prefix is the directory itself, by whole segments", async () => {
  await using folder = await site();
  const cases: Record<string, string> = {
    "/static": "/static/",
    "/static/": "www/index.html",
    "/static/a.txt": "www/a.txt",
    "/st%61tic//a.txt": "www/a.txt",
    "/staticx": "absent",
    "/a.txt": "absent",
    "/static/static/a.txt": "absent",
  };
  for (const [path, expected] of Object.entries(cases)) {
    equal(await found(locate({ directory: `${folder.path}/www`, prefix: "/static" }, path)), expected, path);
  }
});

Deno.test("a directory that is replaced by another one, or is gone, is seen with the next request", async () => {
  await using folder = await site();
  const current = `${folder.path}/current`, at = { directory: current, prefix: "" };
  equal(await found(locate(at, "/a.txt")), "absent");
  await Deno.symlink("www", current);
  equal(await found(locate(at, "/a.txt")), "www/a.txt");
  await Deno.remove(current);
  await Deno.symlink("www/sub", current);
  equal(await found(locate(at, "/index.html")), "www/sub/index.html");
});

Deno.test("a directory that becomes a link out of it while files are opened lets nobody out", async () => {
  await using folder = await site();
  const www = `${folder.path}/www`, place = `${www}/x`, at = { directory: www, prefix: "" };
  await Deno.mkdir(`${folder.path}/www/real`);
  await folder.write("www/real/secret", "inside");
  const swapper = new Worker(
    `data:application/javascript,${
      encodeURIComponent(`self.onmessage = ({ data: { place, ready, stop } }) => {
        const flag = new Int32Array(stop);
        for (let turn = 0; Atomics.load(flag, 0) === 0; turn++) {
          Deno.symlinkSync(turn % 2 ? "real" : "../outside", place + ".new");
          Deno.renameSync(place + ".new", place);
          if (turn === 10) self.postMessage("swapping");
        }
        self.postMessage("over");
      };`)
    }`,
    { type: "module" },
  );
  const stop = new SharedArrayBuffer(4);
  const told = () => new Promise((told) => swapper.onmessage = ({ data }) => told(data));
  const swapping = told();
  swapper.postMessage({ place, stop });
  await swapping;
  const seen = new Set<string>();
  try {
    for (let i = 0; i < 5000; i++) seen.add(await found(locate(at, "/x/secret")));
  } finally {
    const over = told();
    Atomics.store(new Int32Array(stop), 0, 1);
    await over;
    swapper.terminate();
  }
  ok(seen.has("inside") && seen.has("absent"));
  equal(seen.size, 2);
});
