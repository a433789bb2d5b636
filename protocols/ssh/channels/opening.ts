/** Channels that somebody asks for: what the peer opens, to be accepted or refused, and how a refusal of its own is read. */
import { GateError, type Side } from "../../../gate/errors.ts";
import { who } from "../failure.ts";
import * as numbers from "../numbers.ts";
import type { Reader } from "../wire.ts";
import { Channel, type ChannelEvents, type ChannelOwner } from "./channel.ts";

/** Where a channel is wanted. */
export interface OpeningOwner extends ChannelOwner {
  /** Throws GateError "closed" where the connection is over. */
  accepted(channel: Channel, peer: number): void;
  refused(opening: Opening, id: number, peer: number, code: number, words: string): void;
}

/** A channel that the peer wants. */
export class Opening {
  #channel: Channel | undefined;

  /** `from`: what belongs to the type, valid during `opens`. */
  constructor(
    readonly type: string,
    readonly from: Reader,
    private readonly connection: OpeningOwner,
    private readonly id: number,
    private readonly peer: { readonly id: number; readonly window: number; readonly mostData: number },
  ) {}

  /** Before it is open: whoever closes it until then closes it behind its confirmation, unless it is refused. */
  get channel(): Channel {
    return this.#channel ??= new Channel(this.connection, this.id);
  }

  /** The channel, from now on open. Throws GateError "closed" where the connection is over. */
  accept(events?: ChannelEvents): Channel {
    const { channel } = this;
    this.connection.accepted(channel, this.peer.id);
    channel.events = events;
    channel.confirm(this.peer.id, this.peer.window, this.peer.mostData);
    return channel;
  }

  /** `code` as RFC 4254 5.1 has it. Of what is open or refused already it does nothing. */
  refuse(code: number, words: string): void {
    this.connection.refused(this, this.id, this.peer.id, code, words);
  }

  /** The connection is over. */
  broke(reason: GateError): void {
    this.#channel?.fail(reason);
  }
}

const FAILURES = {
  [numbers.PROHIBITED]: "denied",
  [numbers.CONNECT_FAILED]: "refused",
  [numbers.SHORTAGE]: "exhausted",
} as const;

/** Why the peer refused a channel of ours. */
export function openFailure(side: Side, code: number, words: string): GateError {
  const failure = code === numbers.UNKNOWN_TYPE
    ? "unsupported"
    : FAILURES[code as keyof typeof FAILURES] ?? "refused";
  return new GateError(
    failure,
    side,
    `Cannot open a channel: ${who(side)} refused (${code}, ${JSON.stringify(words)})`,
  );
}
