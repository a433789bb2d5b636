/**
 * A process of nodes, each with a key and a name of its own, that come again whenever their gate is gone. Its argument is a
 * StormOrder as JSON. Whoever comes to a node by its name is told that name.
 */
import { promiseResolved, run } from "../../gate/engine/loop.ts";
import type { HostKey } from "../../protocols/ssh/host_key.ts";
import { pause } from "./on_loop.ts";
import { type NodeKey, readAll, signer, SshNode } from "./ssh_node.ts";

export interface StormOrder {
  readonly port: number;
  readonly namePort: number;
  readonly nodes: readonly { readonly name: string; readonly key: NodeKey }[];
}

/** As services that restart a client have it, and not all at the same moment: ms. */
const AGAIN = { least: 100, spread: 400 };

/** One that stays for as long as it is let. */
async function stay({ port, namePort }: StormOrder, name: string, key: HostKey): Promise<void> {
  const node = await SshNode.login({ port, key });
  const gone = new Promise<void>((over) =>
    node.onBroken = () => {
      promiseResolved();
      over();
    }
  );
  node.serves = (stream) => {
    const tell = async () => {
      await stream.write(new TextEncoder().encode(name));
      await stream.closeWrite();
      await readAll(stream);
    };
    void tell().catch(() => {});
  };
  if (!await node.forward(name, namePort)) node.reset();
  if (!node.broken) await gone;
}

async function live(order: StormOrder, name: string, key: HostKey): Promise<void> {
  for (;;) {
    await stay(order, name, key).catch(() => {});
    await pause(AGAIN.least + Math.random() * AGAIN.spread);
  }
}

const order: StormOrder = JSON.parse(await Deno.readTextFile(Deno.args[0]));
promiseResolved();
void run();
for (const { name, key } of order.nodes) void live(order, name, signer(key));
