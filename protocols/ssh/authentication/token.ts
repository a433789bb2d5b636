/** A token (RFC 7519) as a password: whose it is, verified on the main thread. */
import type { Conn, Gate } from "../../../gate/contracts.ts";
import { tokenName } from "../../../gate/identity/identity.ts";
import { Refusal } from "../keys/fields.ts";
import type { Grant } from "../keys/login.ts";
import type { Proof } from "./authentication.ts";

/** Characters of a token. */
const MOST = 16_384;

/** Rejects with GateError where nobody can tell now. */
export async function tokenProof(
  token: string,
  conn: Conn,
  gate: Gate,
): Promise<Omit<Proof, "user"> | Refusal> {
  const { issuers, audiences } = gate.keyLogins.rules, issuer = issuerOf(token);
  if (issuer === undefined) return new Refusal("the password is no token");
  if (!issuers.includes(issuer)) return new Refusal("nobody believes the issuer of its token");
  const check = () => gate.checkToken({ issuer, audiences, claims: {} }, token, conn.peer.address, conn);
  const answer = await check();
  if (answer.verdict === "wrong") return worthless(answer.why);
  if (answer.verdict === "misfit" || !answer.subject) return new Refusal("its token names nobody");
  const name = tokenName(issuer, answer.subject);
  const grant: Grant = {
    identity: { name, names: [name], proof: "token" },
    by: `its token of ${issuer}`,
    until: answer.expires,
    forwarding: true,
    pty: true,
    principals: [],
  };
  const again = () => {
    const { rules } = gate.keyLogins;
    const believed = rules.issuers.includes(issuer) && audiences.some((one) => rules.audiences.includes(one));
    return believed ? grant : new Refusal(`nobody believes tokens of ${issuer} any more`);
  };
  const anew = async () => { // its issuer may have taken the key away
    const answer = await check();
    return answer.verdict === "wrong" ? worthless(answer.why) : undefined;
  };
  return { grant, again, anew };
}

const worthless = (why: string): Refusal => new Refusal(`its token is worth nothing: ${why}`);

/** What it says itself: to know whose keys it has to be verified with. */
function issuerOf(token: string): string | undefined {
  const [, payload, , ...more] = token.length > MOST ? [] : token.split(".");
  if (payload === undefined || more.length > 0) return undefined;
  try {
    const bytes = Uint8Array.fromBase64(payload, { alphabet: "base64url" });
    const { iss } = JSON.parse(new TextDecoder().decode(bytes)) ?? {};
    return typeof iss === "string" ? iss : undefined;
  } catch { // it is none
    return undefined;
  }
}
