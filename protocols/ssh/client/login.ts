/** User authentication as the client (RFC 4252): what the server takes is learned, then one key after the other is shown. */
import { GateError } from "../../../gate/errors.ts";
import type { Keyring, LoginKey } from "../../../gate/keyring.ts";
import type { Above, Secured } from "../above.ts";
import { SERVER_SIG_ALGS } from "../extensions.ts";
import { harmless, malformed } from "../failure.ts";
import { certificateType, SIGNATURE_ALGORITHMS, signatureAlgorithm } from "../keys/algorithms.ts";
import { readCertificate } from "../keys/certificate.ts";
import { Refusal } from "../keys/fields.ts";
import { fingerprint, type PublicKey, readPublicKey } from "../keys/public_key.ts";
import type { Transport } from "../transport.ts";
import { encoded, Reader } from "../wire.ts";

// RFC 4252 6, 7
const REQUEST = 50, FAILURE = 51, SUCCESS = 52, BANNER = 53, KEY_TAKEN = 60;
const AUTHENTICATION = "ssh-userauth", CONNECTION = "ssh-connection";
const PUBLIC_KEY = "publickey";
/** Keys that are shown; servers end it after some six. */
const MOST_KEYS = 32;

/** What is tried: a key by one of the ways in which it signs. */
interface Attempt {
  readonly key: LoginKey;
  /** Its name in the request, which for a certificate is another one than in the signature. */
  readonly asked: string;
  readonly algorithm: string;
  readonly fingerprint: string;
}

export interface LoggingIn {
  readonly user: string;
  readonly keys: readonly LoginKey[];
  readonly keyring: Pick<Keyring, "sign">;
  /** Once: the transport is the connection protocol's from here on, or why it is not; then it is over. */
  readonly settled: (outcome: Secured | GateError) => void;
}

export class Login implements Above {
  /** Set right after it is made: it needs this as its above. */
  transport!: Transport;
  readonly #with: LoggingIn;
  #facts: Secured | undefined;
  #attempts: Attempt[] = [];
  #tried: Attempt[] = [];
  /** Under way; undefined: none, which asks what the server takes. */
  #current: Attempt | undefined;
  /** The server has the word. */
  #asked = false;
  #signing = false;
  #over = false;

  constructor(parts: LoggingIn) {
    this.#with = parts;
  }

  /** Gives up: the server is told that it was us. */
  abort(reason: GateError): void {
    if (this.#over) return;
    this.transport.refused(reason);
  }

  // Of the transport.

  secured(facts: Secured): void {
    this.#facts = facts;
    this.transport.requestService(AUTHENTICATION);
  }

  service(name: string): boolean {
    if (name !== AUTHENTICATION || this.#asked || this.#current) return false;
    const told = this.transport.extensions.get(SERVER_SIG_ALGS);
    this.#attempts = this.#with.keys.slice(0, MOST_KEYS).flatMap((key) => attemptsOf(key, told?.split(",")));
    this.#request("none");
    return true;
  }

  message(number: number, bytes: Uint8Array, at: number, size: number): boolean {
    if (number === BANNER) return true; // for people who log in
    if (number !== FAILURE && number !== SUCCESS && number !== KEY_TAKEN) return false;
    if (!this.#asked) throw this.#malformed(`message ${number} is out of turn`);
    const from = new Reader(bytes, at + 1, at + size);
    if (number === SUCCESS) this.#done(this.#facts!);
    else if (number === FAILURE) this.#refused(from);
    else this.#taken(from);
    return true;
  }

  flush(): void {}

  room(): void {}

  broke(reason: GateError): void {
    this.#done(this.#tried.length > 0 && reason.failure === "closed" ? this.#failed(reason.message) : reason);
  }

  #refused(from: Reader): void {
    const methods = from.nameList();
    from.boolean(); // whether it was a part of what is needed: the next key is shown in any case
    if (!from.whole) throw this.#malformed("a broken refusal");
    this.#asked = this.#signing = false;
    const next = methods.includes(PUBLIC_KEY) ? this.#attempts.shift() : undefined;
    if (!next) return this.transport.refused(this.#failed(`it takes ${harmless(methods.join(", "))}`));
    this.#current = next;
    this.#tried.push(next);
    this.#request(PUBLIC_KEY, false);
  }

  /** It would take the key: then it is worth to sign, which may need somebody's touch. */
  #taken(from: Reader): void {
    const asked = from.text(), blob = from.string(), current = this.#current;
    const right = from.whole && asked === current?.asked && sameBytes(blob, current.key.blob);
    if (!right || this.#signing) throw this.#malformed("it takes a key that was not shown");
    this.#asked = false;
    this.#signing = true;
    void this.#sign(current);
  }

  async #sign(attempt: Attempt): Promise<void> {
    const { key, algorithm } = attempt;
    const unsigned = this.#payload(PUBLIC_KEY, true);
    const data = encoded((to) => to.string(this.#facts!.session).raw(unsigned));
    let signature: Uint8Array;
    try {
      signature = await this.#with.keyring.sign({ blob: key.blob, algorithm, data });
    } catch (thrown) {
      if (this.#over) return;
      const why = thrown instanceof GateError ? thrown.message : String(thrown);
      return this.transport.refused(
        new GateError("unauthenticated", "gate", `${this.#act} with ${told(attempt)}: ${why}`, thrown),
      );
    }
    if (this.#over) return;
    this.#asked = true;
    this.transport.send(encoded((to) => to.raw(unsigned).string(signature)));
  }

  #request(method: string, signed?: boolean): void {
    this.#asked = true;
    this.transport.send(this.#payload(method, signed));
  }

  #payload(method: string, signed?: boolean): Uint8Array {
    return encoded((to) => {
      to.byte(REQUEST).text(this.#with.user).text(CONNECTION).text(method);
      if (signed === undefined) return;
      to.boolean(signed).text(this.#current!.asked).string(this.#current!.key.blob);
    });
  }

  #failed(state: string): GateError {
    const refused = this.#tried.map(told).join(", ");
    const shown = refused === "" ? "there was no key to show" : `it refused ${refused}`;
    return new GateError("unauthenticated", "upstream", `${this.#act}: ${shown}; ${state}`);
  }

  get #act(): string {
    return `Cannot log in as ${JSON.stringify(this.#with.user)}`;
  }

  #done(outcome: Secured | GateError): void {
    if (this.#over) return;
    this.#over = true;
    this.#with.settled(outcome);
  }

  #malformed(state: string): GateError {
    return malformed("upstream", "log in", state);
  }
}

/** `taken`: the names that the server takes; absent: it does not tell, as old ones. */
function attemptsOf(key: LoginKey, taken: readonly string[] | undefined): Attempt[] {
  const certificate = readCertificate(key.blob), isCertificate = !(certificate instanceof Refusal);
  const plain: PublicKey | Refusal = isCertificate ? certificate.key : readPublicKey(key.blob);
  if (plain instanceof Refusal) return []; // of a kind that is not known, from an agent
  const able = SIGNATURE_ALGORITHMS.filter((name) => signatureAlgorithm(name)!.type === plain.type);
  const algorithm = able.find((name) => taken?.includes(name)) ?? able[0];
  const asked = isCertificate ? certificateType(algorithm) : algorithm;
  return [{ key, asked, algorithm, fingerprint: fingerprint(plain.blob) }];
}

const told = ({ key, asked, fingerprint }: Attempt): string =>
  `${asked} ${fingerprint} (${harmless(key.name)})`;

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);
