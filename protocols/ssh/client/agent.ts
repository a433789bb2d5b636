/** The agent that keeps keys for somebody, over its unix socket: a connection for each question. On the main thread. */
import { GateError } from "../../../gate/errors.ts";
import type { LoginKey } from "../../../gate/keyring.ts";
import { type AgentAnswer, askForKeys, askToSign, readAgentAnswer } from "../keys/agent.ts";
import { Refusal } from "../keys/fields.ts";

/** For its keys; for a signature, which its owner may be asked for. ms */
const LIST_TIME = 3000, SIGN_TIME = 60_000;

export class Agent {
  /** `path`: where it listens, as $SSH_AUTH_SOCK has it. */
  constructor(readonly path: string | undefined) {}

  /** Rejects with GateError "unreachable", "timeout" or "malformed". */
  async list(): Promise<readonly LoginKey[]> {
    const answer = await this.#ask(askForKeys(), LIST_TIME);
    if (answer.kind !== "keys") throw this.#refused("list its keys");
    return answer.keys.map(({ blob, comment }) => ({ blob, name: `agent: ${comment}` }));
  }

  /** The signature blob. Rejects as list, and with "refused" where it does not sign. */
  async sign(blob: Uint8Array, algorithm: string, data: Uint8Array): Promise<Uint8Array> {
    const answer = await this.#ask(askToSign(blob, data, algorithm), SIGN_TIME);
    if (answer.kind !== "signature") throw this.#refused("sign");
    return answer.signature;
  }

  async #ask(question: Uint8Array, ms: number): Promise<AgentAnswer> {
    if (this.path === undefined) throw this.#failed("unreachable", "$SSH_AUTH_SOCK does not name one");
    using connection = await this.#connect(this.path);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      connection.close();
    }, ms);
    try {
      return await this.#exchange(connection, question);
    } catch (thrown) {
      if (late) throw this.#failed("timeout", `it did not answer within ${ms / 1000} s`);
      throw thrown instanceof GateError ? thrown : this.#failed("unreachable", "it is gone", thrown);
    } finally {
      clearTimeout(timer);
    }
  }

  async #connect(path: string): Promise<Deno.UnixConn> {
    try {
      return await Deno.connect({ transport: "unix", path });
    } catch (thrown) {
      throw this.#failed("unreachable", `nobody listens at ${path}`, thrown);
    }
  }

  async #exchange(connection: Deno.UnixConn, question: Uint8Array): Promise<AgentAnswer> {
    for (let sent = 0; sent < question.length;) sent += await connection.write(question.subarray(sent));
    let bytes = new Uint8Array(0);
    const part = new Uint8Array(65536);
    for (;;) {
      const size = await connection.read(part);
      if (size === null) throw this.#failed("malformed", "it ended in the middle of an answer");
      const grown = new Uint8Array(bytes.length + size);
      grown.set(bytes);
      grown.set(part.subarray(0, size), bytes.length);
      bytes = grown;
      const read = readAgentAnswer(bytes);
      if (typeof read === "number") continue; // readAgentAnswer bounds the whole
      if (read.answer instanceof Refusal) throw this.#failed("malformed", read.answer.why);
      return read.answer;
    }
  }

  #refused(act: string): GateError {
    return new GateError("refused", "gate", `Cannot use the SSH agent: it does not ${act}`);
  }

  #failed(failure: GateError["failure"], state: string, cause?: unknown): GateError {
    return new GateError(failure, "gate", `Cannot use the SSH agent: ${state}`, cause);
  }
}
