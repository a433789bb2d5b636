/// <reference lib="deno.worker" />
/** Binds one unix path again and again, as gates that start at once do; tells how often it had it, and lost it to others. */
import { listenOn } from "../../gate/engine/bind.ts";
import { SocketFile } from "../../gate/engine/socket_file.ts";
import { libc } from "../../gate/engine/sys.ts";
import { GateError } from "../../gate/errors.ts";

export interface Bindings {
  readonly had: number;
  /** Times that its file was not there any more while it listened. */
  readonly lost: number;
}

/** Every third time it dies with its socket's file left behind. */
function bindAgain(path: string, had: number): boolean {
  const listening = listenOn({ host: `unix:${path}`, port: 0 });
  const file = SocketFile.at(path);
  for (let i = 0; i < 20; i++) SocketFile.at(path);
  const now = SocketFile.at(path);
  if (had % 3 === 0) libc.close(listening.fd);
  else listening.close();
  return file !== undefined && now?.inode === file.inode;
}

export interface Race {
  readonly path: string;
  readonly times: number;
  /** Nobody begins before all are there: how many are missing. */
  readonly missing: Int32Array;
}

self.onmessage = ({ data: { path, times, missing } }: MessageEvent<Race>) => {
  let had = 0, lost = 0;
  Atomics.sub(missing, 0, 1);
  while (Atomics.load(missing, 0) > 0);
  while (had < times) {
    try {
      if (!bindAgain(path, ++had)) lost++;
    } catch (thrown) {
      if (!(thrown instanceof GateError)) throw thrown;
      had--; // another one has it
    }
  }
  self.postMessage({ had, lost } satisfies Bindings);
};
