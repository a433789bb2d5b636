import fc from "fast-check";
import { formatIp, parseIp } from "../../../gate/address.ts";
import { listenOn } from "../../../gate/engine/bind.ts";
import { AF_INET, AF_INET6, AF_UNIX } from "../../../gate/engine/layout.ts";
import { localAddress, readSocketAddress, socketAddress } from "../../../gate/engine/sockaddr.ts";
import { equal, throws } from "../../support/assert.ts";

const ports = fc.integer({ min: 0, max: 65535 });

Deno.test("an IPv4 address goes there and back", () => {
  fc.assert(fc.property(fc.ipV4(), ports, (host, port) => {
    const { family, bytes, size } = socketAddress({ host, port });
    equal([family, size], [AF_INET, 16]);
    equal(readSocketAddress(bytes, size), { host, port });
  }));
});

Deno.test("an IPv6 address goes there and back, and a mapped one is IPv4", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), ports, (ip, port) => {
    const host = formatIp(ip);
    const { family, bytes, size } = socketAddress({ host, port });
    equal([family, size], host.includes(":") ? [AF_INET6, 28] : [AF_INET, 16]);
    equal(readSocketAddress(bytes, size), { host, port });
  }));
  const mapped = socketAddress({ host: "::ffff:10.1.2.3", port: 80 });
  equal([...mapped.bytes.subarray(0, mapped.size)], [2, 0, 0, 80, 10, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0]);
});

Deno.test("one address leaves nothing of the one before", () => {
  socketAddress({ host: `unix:/${"x".repeat(100)}`, port: 0 });
  const { bytes, size } = socketAddress({ host: "::1", port: 1 });
  equal([...bytes.subarray(0, size)], [10, 0, 0, 1, ...Array(4).fill(0), ...parseIp("::1")!, 0, 0, 0, 0]);
});

Deno.test("a unix path ends with NUL, an abstract name begins with it", () => {
  const bytesOf = (host: string) => {
    const { family, bytes, size } = socketAddress({ host, port: 0 });
    equal(family, AF_UNIX);
    return [...bytes.subarray(2, size)];
  };
  equal(bytesOf("unix:/ab"), [47, 97, 98, 0]);
  const abstract = socketAddress({ host: "unix:@ab", port: 0 });
  equal([...abstract.bytes.subarray(2, abstract.size)].slice(0, 3), [0, 97, 98]);
});

Deno.test("a path that is empty or too long, and a name, are refused", () => {
  for (const name of ["", "@", `/${"x".repeat(107)}`, `@${"x".repeat(107)}`]) {
    throws(() => socketAddress({ host: `unix:${name}`, port: 0 }), /1 to 106 bytes/);
  }
  throws(() => socketAddress({ host: "example.com", port: 1 }), /not an address/);
});

Deno.test("what a socket is bound to is told: IPv4, IPv6, an abstract name as it was given", () => {
  for (const host of ["127.0.0.1", "::1", `unix:@ugate-test-${Deno.pid}`]) {
    const listening = listenOn({ host, port: 0 });
    try {
      equal(localAddress(listening.fd), listening.address);
    } finally {
      listening.close();
    }
  }
  equal(localAddress(-1), undefined);
});
