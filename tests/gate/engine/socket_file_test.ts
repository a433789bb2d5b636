/** Turns in a directory that somebody else has locked, and whose socket may be replaced. */
import { listenAnew } from "../../../gate/engine/bind.ts";
import { takeTurn } from "../../../gate/engine/socket_file.ts";
import { equal, ok, throws } from "../../support/assert.ts";
import { Folder } from "../../support/child.ts";

Deno.test("who keeps a directory locked is waited for once, and not for every socket", async () => {
  await using folder = await Folder.make();
  using other = await Deno.open(folder.path);
  ok(await other.tryLock(true));
  const { tryLockSync } = Deno.FsFile.prototype;
  const looks: number[] = [];
  Deno.FsFile.prototype.tryLockSync = function (exclusive?: boolean) {
    looks[looks.length - 1]++;
    return tryLockSync.call(this, exclusive);
  };
  try {
    for (let i = 0; i < 20; i++) {
      looks.push(0);
      takeTurn(`${folder.path}/${i}`)?.[Symbol.dispose]();
    }
  } finally {
    Deno.FsFile.prototype.tryLockSync = tryLockSync;
  }
  ok(looks[0] > 1);
  equal(looks.slice(1), Array(19).fill(1));
});

/** What a process that was killed leaves at a path. */
function leaveDead(path: string, mode: number): void {
  const listener = Deno.listen({ transport: "unix", path: `${path}.before` });
  Deno.renameSync(`${path}.before`, path);
  listener.close();
  Deno.chmodSync(path, mode);
}

Deno.test("a private socket takes the place of a dead one of its kind, and of nothing else", async () => {
  await using folder = await Folder.make();
  const path = `${folder.path}/socket`, target = { host: `unix:${path}`, port: 0 };
  const replaces = () => {
    const { close } = listenAnew(target);
    equal(Deno.lstatSync(path).mode! & 0o777, 0o600);
    close();
    throws(() => Deno.lstatSync(path), /No such file/);
  };
  leaveDead(path, 0o600);
  replaces();
  const stays = (what: string) => {
    const { ino } = Deno.lstatSync(path);
    throws(() => listenAnew(target), /Cannot listen on/);
    equal(Deno.lstatSync(path).ino, ino, what);
  };
  leaveDead(path, 0o660);
  stays("a socket that others may open");
  Deno.removeSync(path);
  Deno.writeTextFileSync(path, "somebody's", { mode: 0o600 });
  stays("a file");
  Deno.removeSync(path);
  leaveDead(`${path}.far`, 0o600);
  Deno.symlinkSync(`${path}.far`, path);
  stays("a link");
  Deno.removeSync(path);
  const living = listenAnew(target);
  stays("one that lives");
  living.close();
  leaveDead(path, 0o600);
  {
    using other = Deno.openSync(folder.path);
    ok(await other.tryLock(true));
    stays("a dead one while another gate has its turn");
  }
  if (Deno.uid() === 0) {
    Deno.chownSync(path, 65_534, null);
    stays("another user's");
    Deno.chownSync(path, 0, null);
  }
  replaces();
});
