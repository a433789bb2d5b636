/**
 * Run as a program in a network namespace of its own, which has loopback and nothing else: dials each address of its
 * arguments and prints how each failed. 10.2.0.0/16 is unreachable there, 10.3.0.0/16 is forbidden.
 */
import { dial } from "../../gate/engine/dial.ts";
import { asGateError } from "../../gate/errors.ts";
import { succeed } from "./child.ts";
import { onLoop } from "./on_loop.ts";

await succeed("ip", ["link", "set", "lo", "up"]);
await succeed("ip", ["route", "add", "unreachable", "10.2.0.0/16"]);
await succeed("ip", ["route", "add", "prohibit", "10.3.0.0/16"]);
const told: string[] = [];
await onLoop(async () => {
  for (const host of Deno.args) {
    const { failure, side, message } = await dial([{ host, port: 80 }], 1000).then(() => {
      throw new Error(`${host} was reached`);
    }, asGateError);
    told.push(`${failure} ${side} ${message.split(": ").at(-1)}`);
  }
});
console.log(JSON.stringify(told));
