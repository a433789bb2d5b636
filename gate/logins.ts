/** Who may log in, where anybody may: what hashes passwords (and Node's crypto under it) is loaded with the first user. */
import type { Login, LoginAnswer } from "./orders.ts";
import type { Passwords, PasswordsOptions, Users } from "./passwords.ts";

export class Logins {
  readonly #options: PasswordsOptions;
  #passwords: Passwords | undefined;

  constructor(options: PasswordsOptions) {
    this.#options = options;
  }

  /** Comes before nameOf(), digests() and replace() of these users: of listeners, and sets besides. */
  async prepare(users: Users, sets: readonly Users[string][] = []): Promise<void> {
    if (this.#passwords || Object.keys(users).length + sets.length === 0) return;
    const { Passwords } = await import("./passwords.ts");
    this.#passwords ??= new Passwords({}, this.#options);
  }

  /** Under which a set of users is known to engines, and to replace(). */
  nameOf(users: Users[string]): string {
    return this.#passwords?.nameOf(users) ?? "";
  }

  /** For each user a digest that changes with the password and tells nothing of it. */
  digests(users: Users): Users {
    return this.#passwords?.digests(users) ?? {};
  }

  /** These may log in from now on. */
  replace(users: Users): void {
    this.#passwords?.replace(users);
  }

  check(login: Login): Promise<LoginAnswer> {
    return this.#passwords?.check(login) ?? Promise.resolve("wrong");
  }
}
