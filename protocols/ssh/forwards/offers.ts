/** Names that are reached through a client: each is offered to the gate, which knows whose it is. */
import type { Offer } from "../../../gate/contracts.ts";
import { GateError } from "../../../gate/errors.ts";
import type { Connection } from "../channels/connection.ts";
import { type Bind, FORWARDED_TCPIP, forwardedTcpip } from "./messages.ts";
import type { Served } from "../served.ts";
import type { NamePort } from "./names.ts";

/** Who hears what becomes of them. */
export interface OfferedEvents {
  /** Once: whether any of them was granted, or why none was. */
  told(refused?: GateError): void;
  /** One that was granted holds no more; `left`: how many of them do, or may yet. */
  lost(name: string, reason: GateError, left: number): void;
}

/** `port`: as the client knows it. Disposed, they are offered no more. */
export function offerNames(
  { conn, gate }: Served,
  connection: Connection,
  names: readonly NamePort[],
  { bind, port }: { readonly bind: Bind; readonly port: number },
  events: OfferedEvents,
): Disposable {
  let waiting = names.length, granted = 0, isTold = false;
  const tell = (refused?: GateError) => {
    if (!isTold) events.told(refused);
    isTold = true;
  };
  const open: Offer["open"] = (_target, from, told) =>
    connection.open(FORWARDED_TCPIP, forwardedTcpip(bind, port, { host: from.address, port: from.port }), {
      opened: () => told(),
      refused: told,
    }).stream;
  const offers = names.map((one) => {
    const offer: Offer = {
      ...one,
      open,
      get roundTrip() {
        return connection.roundTrip;
      },
      lost: (reason) => events.lost(one.name, reason, --granted + waiting),
    };
    return gate.offer(conn, offer, (refused) => {
      waiting--;
      if (!refused) granted++;
      if (granted > 0) tell();
      else if (waiting === 0) tell(refused);
    });
  });
  return {
    [Symbol.dispose]: () => {
      for (const offer of offers) offer[Symbol.dispose]();
      tell(new GateError("closed", "client", "Cannot offer a name: it was cancelled"));
    },
  };
}
