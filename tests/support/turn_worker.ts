/// <reference lib="deno.worker" />
/** A gate in its turn: its unix socket is bound and does not listen yet, so it looks dead. Then it listens. */
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from "../../gate/engine/layout.ts";
import { socketAddress } from "../../gate/engine/sockaddr.ts";
import { takeTurn } from "../../gate/engine/socket_file.ts";
import { libc } from "../../gate/engine/sys.ts";

/** So long others wait for their turn, ms. */
const TURN = 60;

self.onmessage = ({ data: path }: MessageEvent<string>) => {
  const fd = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const { bytes, size } = socketAddress({ host: `unix:${path}`, port: 0 });
  {
    using _turn = takeTurn(path);
    libc.bind(fd, bytes, size);
    self.postMessage("bound");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TURN);
    libc.listen(fd, 1);
  }
  self.onmessage = () => {
    libc.close(fd);
    self.postMessage("closed");
  };
};
