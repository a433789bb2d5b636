import { defaultState } from "../../../gate/config/defaults.ts";
import { equal } from "../../support/assert.ts";

const ROOT = 0, USER = 1000;
const state = (uid: number, variables: Record<string, string>) =>
  defaultState({ get: (name) => variables[name] }, uid);

Deno.test("root's state is the system's, a user's is where XDG_STATE_HOME says, else at home", () => {
  const both = { XDG_STATE_HOME: "/srv/state", HOME: "/home/alice" };
  equal(state(ROOT, both), "/var/lib/ugate");
  equal(state(USER, both), "/srv/state/ugate");
  equal(state(USER, { HOME: "/home/alice" }), "/home/alice/.local/state/ugate");
});

Deno.test("who has no home, or a relative one, has the system's place for the state, and never one at the root", () => {
  equal(state(USER, {}), "/var/lib/ugate");
  equal(state(USER, { HOME: "", XDG_STATE_HOME: "" }), "/var/lib/ugate");
  equal(state(USER, { HOME: "home", XDG_STATE_HOME: "state" }), "/var/lib/ugate");
});
