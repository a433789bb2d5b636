/** What a client that has logged in may open. */
import type { ConnectionEvents } from "../channels/connection.ts";
import { PROHIBITED } from "../numbers.ts";
import type { Served } from "../served.ts";

export function serveChannels(_served: Served): ConnectionEvents {
  return {
    opens: (opening) => opening.refuse(PROHIBITED, "not allowed"),
    request: (_name, _from, answer) => answer?.no(),
    broke: () => {},
  };
}
