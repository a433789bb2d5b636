/** Who may log in, where anybody may: what hashes passwords (and Node's crypto under it) is loaded with the first user. */
import type { Login, LoginAnswer } from "./orders.ts";
import type { Passwords, PasswordsOptions, Users } from "./passwords.ts";

export class Logins {
  readonly #options: PasswordsOptions;
  #passwords: Passwords | undefined;

  constructor(options: PasswordsOptions) {
    this.#options = options;
  }

  /** Comes before digests() and replace() of these users. */
  async prepare(users: Users): Promise<void> {
    if (this.#passwords || Object.keys(users).length === 0) return;
    const { Passwords } = await import("./passwords.ts");
    this.#passwords ??= new Passwords({}, this.#options);
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
