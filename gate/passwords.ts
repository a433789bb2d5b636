/**
 * Passwords: their hashes (scrypt, RFC 7914), and who may log in. Runs on the main thread. A verification takes
 * 200 ms of a pool thread and 16 MiB: it is bounded, throttled by source, and not done twice.
 */
import { Buffer } from "node:buffer";
import { createHmac, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import type { Login, LoginAnswer } from "./orders.ts";
import { type Hash, MOST_MEMORY, parseHash } from "./password_hash.ts";
import { sourceNetwork } from "./networks.ts";
import { Slots } from "./slots.ts";
import { Throttle, type Throttled } from "./throttle.ts";

/** The strongest that keeps to 16 MiB, for a Raspberry Pi verifies too (OWASP: N=2^14, r=8, p=5). */
const COST = 2 ** 14, BLOCK_SIZE = 8, PARALLELISM = 5;

/** The text parseHash reads, under a new salt. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const parameters = { cost: COST, blockSize: BLOCK_SIZE, parallelism: PARALLELISM };
  const hash = await derive(password, { ...parameters, salt, hash: new Uint8Array(32) });
  return `scrypt:${COST}:${BLOCK_SIZE}:${PARALLELISM}:${salt.toString("base64url")}:${
    hash.toString("base64url")
  }`;
}

/** Whether the hash was made of this password. */
export async function verifyHash(password: string, hash: Hash): Promise<boolean> {
  return timingSafeEqual(await derive(password, hash), hash.hash);
}

function derive(password: string, { cost, blockSize, parallelism, salt, hash }: Hash): Promise<Buffer> {
  const options = { N: cost, r: blockSize, p: parallelism, maxmem: 2 * MOST_MEMORY };
  return new Promise((done, failed) => {
    scrypt(password, salt, hash.length, options, (fault, key) => fault ? failed(fault) : done(key));
  });
}

/** Name of a listener, or of a set -> user name -> password or hash, as configuration has them. */
export type Users = Readonly<Record<string, Readonly<Record<string, string>>>>;

const MOST_RUNNING = 2, MOST_WAITING = 64;
/** RFC 1929 and the head of a request allow no more; nobody makes us hash a megabyte. */
const LONGEST_PASSWORD = 1024;
const MOST_REMEMBERED = 1024;
/** 96 bits, in base64. */
const DIGEST_LENGTH = 16;

export interface PasswordsOptions {
  /** ms, monotonic. */
  readonly now?: () => number;
  /** Told when a source gave so many wrong passwords that it has to wait, at most once a minute for each. */
  readonly throttled?: (throttled: Throttled) => void;
}

/** Who may log in where. One per process; `replace` follows a reload. */
export class Passwords {
  readonly #key = randomBytes(32);
  /** Digests of right answers, oldest first. They hold the stored text, so a changed password leaves them behind. */
  readonly #right = new Set<string>();
  /** Networks that gave a right one, the last one behind the others: a flood of guesses by others holds none of them up. */
  readonly #known = new Set<string>();
  readonly #asked = new Map<string, Promise<boolean>>();
  readonly #throttle: Throttle;
  readonly #throttled: (throttled: Throttled) => void;
  readonly #slots = new Slots(MOST_RUNNING, MOST_WAITING);
  #users: Users;

  constructor(users: Users, { now = () => performance.now(), throttled = () => {} }: PasswordsOptions = {}) {
    this.#users = users;
    this.#throttle = new Throttle(now);
    this.#throttled = throttled;
  }

  replace(users: Users): void {
    this.#users = users;
  }

  /**
   * The name of a set of users that no listener has: another one where anything in it is another, so that who was asked
   * by one set is never judged by another. A listener's name has no slash.
   */
  nameOf(users: Users[string]): string {
    return `set/${this.#digest(["set", JSON.stringify(Object.entries(users))])}`;
  }

  /** For each user a digest that changes with the password and tells nothing of it: its key stays in this process. */
  digests(users = this.#users): Users {
    const entries = Object.entries(users).map(([listener, users]) => {
      const digests = Object.entries(users).map(([user, stored]) => (
        [user, this.#digest([listener, user, stored]).slice(0, DIGEST_LENGTH)] as const
      ));
      return [listener, Object.fromEntries(digests)] as const;
    });
    return Object.fromEntries(entries);
  }

  /** Never rejects for what a client sent. Attempts count as failures while they run, so many at once do too. */
  async check(login: Login): Promise<LoginAnswer> {
    const { source, user, password } = login, set = login.users ?? login.listener;
    const users = this.#usersOf(set);
    const stored = own(users, user);
    // A hash of the same cost is computed for unknown users too, lest the time tell who there is.
    const hash = parseHash(stored ?? Object.values(users).find(parseHash) ?? "");
    const digest = this.#digest([set, user, stored, password]);
    // A reload may replace the stored password while the one before is verified.
    const holds = (right: boolean) => right && own(this.#usersOf(set), user) === stored;
    const asked = this.#asked.get(digest);
    if (asked) return holds(await asked) ? "right" : "wrong"; // the same guess again tells nobody more
    if (!this.#throttle.admits(source)) return "throttled";
    if (this.#right.has(digest)) return "right";
    if (hash === undefined || password.length > LONGEST_PASSWORD) {
      const right = hash === undefined && stored !== undefined && this.#same(stored, password);
      return right ? "right" : this.#wrong(login);
    }
    const verified = this.#ask(digest, login, hash, stored !== undefined);
    if (verified === undefined) return "busy";
    using _attempt = this.#throttle.attempt(source);
    if (!holds(await verified)) return this.#wrong(login);
    this.#remember(digest, sourceNetwork(source));
    return "right";
  }

  #usersOf(set: string): Readonly<Record<string, string>> {
    return own(this.#users, set) ?? {};
  }

  #wrong({ listener, source, protocol }: Login): "wrong" {
    const failures = this.#throttle.fail(source);
    if (failures !== undefined) this.#throttled({ source, listener, protocol, failures });
    return "wrong";
  }

  /** Identical questions are asked once. undefined: the queue is full. */
  #ask(
    digest: string,
    { password, source }: Login,
    hash: Hash,
    isUser: boolean,
  ): Promise<boolean> | undefined {
    const preferred = this.#known.has(sourceNetwork(source));
    const verified = this.#slots.run(preferred, async () => await verifyHash(password, hash) && isUser)
      ?.finally(() => this.#asked.delete(digest));
    if (verified) this.#asked.set(digest, verified);
    return verified;
  }

  #remember(digest: string, network: string): void {
    this.#known.delete(network);
    for (const [set, one] of [[this.#right, digest], [this.#known, network]] as const) {
      set.add(one);
      for (const oldest of set) {
        if (set.size <= MOST_REMEMBERED) break;
        set.delete(oldest);
      }
    }
  }

  #same(a: string, b: string): boolean {
    return timingSafeEqual(Buffer.from(this.#digest([a])), Buffer.from(this.#digest([b])));
  }

  #digest(parts: readonly (string | undefined)[]): string {
    return createHmac("sha256", this.#key).update(JSON.stringify(parts)).digest("base64");
  }
}

/** What an object has itself: a client may ask for "constructor". */
const own = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;
