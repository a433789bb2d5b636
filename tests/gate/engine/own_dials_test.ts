import { AF_INET, AF_INET6, AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from "../../../gate/engine/layout.ts";
import { OWN_DIALS_SIZE, OwnDials } from "../../../gate/engine/own_dials.ts";
import { localAddress } from "../../../gate/engine/sockaddr.ts";
import { libc } from "../../../gate/engine/sys.ts";
import { equal, ok } from "../../support/assert.ts";

for (const [name, family] of [["IPv4", AF_INET], ["IPv6", AF_INET6], ["unix", AF_UNIX]] as const) {
  Deno.test(`another engine finds how deep a dial is by where it comes from: ${name}`, () => {
    const shared = new SharedArrayBuffer(OWN_DIALS_SIZE);
    const dialing = new OwnDials(shared, 1), accepting = new OwnDials(shared, 0);
    const fd = libc.socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    try {
      const place = dialing.mark(fd, family, 3);
      const from = localAddress(fd);
      ok(from, "it was not bound");
      equal(accepting.depth(from.host, from.port), 3);
      dialing.release(place);
      equal(accepting.depth(from.host, from.port), 0);
    } finally {
      libc.close(fd);
    }
  });
}

Deno.test("what a dead engine marked is taken away, and nothing else", () => {
  const shared = new SharedArrayBuffer(OWN_DIALS_SIZE);
  const dead = new OwnDials(shared, 1), alive = new OwnDials(shared, 0);
  const fds = [0, 1].map(() => libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  try {
    dead.mark(fds[0], AF_INET, 2);
    alive.mark(fds[1], AF_INET, 3);
    dead.forget();
    const depths = fds.map((fd) => localAddress(fd)!).map(({ host, port }) => alive.depth(host, port));
    equal(depths, [0, 3]);
  } finally {
    for (const fd of fds) libc.close(fd);
  }
});

Deno.test("who was not dialed by this gate is not deep", () => {
  const own = new OwnDials(new SharedArrayBuffer(OWN_DIALS_SIZE), 0);
  for (const host of ["unix", "unix:@name", "unix:@zzzzz", "10.0.0.1", "::1"]) equal(own.depth(host, 0), 0);
});
