/** For layers that need no keys: who asks for some has made a mistake. */
import type { Wrapping } from "../../gate/contracts.ts";

const nobody = () => Promise.reject(new Error("nobody has keys here"));

export const NO_KEYS: Pick<Wrapping, "keyring" | "keys"> = {
  keyring: { introduce: nobody, sign: nobody },
  keys: "",
};
