/** Turns in a directory that somebody else has locked. */
import { takeTurn } from "../../../gate/engine/socket_file.ts";
import { equal, ok } from "../../support/assert.ts";
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
