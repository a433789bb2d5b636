import type { Failure } from "../../gate/errors.ts";
import { FAILURES } from "../../gate/errors.ts";
import { protocols } from "../../protocols/mod.ts";
import { conformProtocol, conformServe, type Served } from "../conformance/protocol.ts";
import { equal } from "../support/assert.ts";
import { joined } from "../support/client_hello.ts";
import { firstBytes } from "../support/real_client.ts";

const { ssh, mqtt, stun, tcp } = protocols;
const latin1 = (text: string) => Uint8Array.from(text, (sign) => sign.charCodeAt(0));
const NONE = new Uint8Array(0);

/** What these protocols have in common: the bytes go on, and a failure has no words. */
const passedOn = (request: Uint8Array): Served => ({
  request,
  greeted: NONE,
  granted: NONE,
  passedOn: true,
  refused: Object.fromEntries(FAILURES.map((failure) => [failure, NONE])) as Record<Failure, Uint8Array>,
});

const VERSION = latin1("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n");
conformProtocol("ssh", ssh, {
  samples: {
    ...await firstBytes({
      "ssh": {
        program: "ssh",
        args: (
          port,
        ) => [
          "-F",
          "none",
          "-o",
          "BatchMode=yes",
          "-o",
          "UserKnownHostsFile=/dev/null",
          "-p",
          port,
          "127.0.0.1",
        ],
      },
    }),
    "a version": VERSION,
  },
  others: protocols,
  served: passedOn(VERSION),
});

const remaining = (length: number) => length < 128 ? [length] : [length & 0x7f | 0x80, length >> 7];
const connectPacket = (name: string, level: number, rest: number) =>
  joined(
    Uint8Array.of(0x10, ...remaining(3 + name.length + rest), 0, name.length),
    latin1(name),
    Uint8Array.of(level),
    new Uint8Array(rest),
  );
const mosquitto = (version: string, ...args: string[]) => ({
  program: "mosquitto_pub",
  args: (port: string) => ["-h", "127.0.0.1", "-p", port, "-t", "a", "-m", "b", "-V", version, ...args],
});
conformProtocol("mqtt", mqtt, {
  samples: {
    ...await firstBytes({
      "mosquitto_pub of MQTT 3.1": mosquitto("mqttv31"),
      "mosquitto_pub of MQTT 3.1.1": mosquitto("mqttv311", "-u", "user", "-P", "password".repeat(20)),
      "mosquitto_pub of MQTT 5": mosquitto("mqttv5"),
    }),
    "an MQTT 3.1 packet": connectPacket("MQIsdp", 3, 20),
    "an MQTT 3.1.1 packet": connectPacket("MQTT", 4, 5),
    "an MQTT 5 packet of 8 KiB": connectPacket("MQTT", 5, 8192),
    "a bridge of mosquitto": connectPacket("MQTT", 0x84, 20),
    "a bridge of an old mosquitto": connectPacket("MQIsdp", 0x83, 20),
  },
  others: protocols,
  served: passedOn(connectPacket("MQTT", 4, 20)),
});

Deno.test("mqtt: other packets, names, levels and lengths are none", () => {
  for (
    const wrong of [
      connectPacket("MQTT", 3, 20),
      connectPacket("MQTT", 6, 20),
      connectPacket("MQIsdp", 4, 20),
      connectPacket("MQTX", 4, 20),
      connectPacket("MQTT", 4, 4),
      connectPacket("MQTT", 4, 20).with(0, 0x11),
      connectPacket("MQTT", 4, 20).with(0, 0x30),
      Uint8Array.of(0x10, 0xff, 0xff, 0xff, 0xff),
    ]
  ) {
    equal(mqtt.sniff!(wrong), false);
  }
});

const binding = Uint8Array.of(
  0,
  1,
  0,
  8,
  0x21,
  0x12,
  0xa4,
  0x42,
  ...new Array(12).fill(7),
  0x80,
  0x22,
  0,
  4,
  97,
  98,
  99,
  100,
);
conformProtocol("stun", stun, {
  samples: {
    "a binding request": binding,
    "an allocate request": binding.with(1, 3),
    "an indication": binding.with(1, 0x11),
  },
  others: protocols,
  served: passedOn(binding),
});

Deno.test("stun: without the cookie, with other first bits or an odd length it is none", () => {
  for (const [at, value] of [[0, 0x40], [0, 1], [3, 7], [4, 0], [7, 0x43]]) {
    equal(stun.sniff!(binding.with(at, value)), false);
  }
});

Deno.test("tcp claims nothing", () => equal([tcp.sniff, tcp.catches], [undefined, undefined]));
conformServe("tcp", tcp, passedOn(latin1("anything")));
