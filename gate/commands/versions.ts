/** `ugate version`: of ugate, and of what it runs on. */
import { opensslVersion } from "../engine/openssl_library.ts";
import { VERSION_LINE, VERSIONS } from "../version.ts";

export function versions() {
  return { ...VERSIONS, openssl: opensslVersion() };
}

/** For people. */
export function versionLines(): string[] {
  return [VERSION_LINE, opensslVersion() ?? "no OpenSSL 3: TLS cannot be ended here"];
}
