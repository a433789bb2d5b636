/** Who may log in, before and after anybody may. */
import { Logins } from "../../gate/logins.ts";
import { equal, ok } from "../support/assert.ts";

const LOGIN = { listener: "proxy", source: "10.0.0.1", protocol: "socks", user: "alice", password: "secret" };

Deno.test("nobody may log in before there are users, and then with the right password", async () => {
  const logins = new Logins({});
  await logins.prepare({});
  equal([await logins.check(LOGIN), logins.digests({})], ["wrong", {}]);
  const users = { proxy: { alice: "secret" } };
  await logins.prepare(users);
  equal(await logins.check(LOGIN), "wrong"); // they do not hold yet
  logins.replace(users);
  equal(await logins.check(LOGIN), "right");
  ok(/^\S{16}$/.test(logins.digests(users).proxy.alice));
  logins.replace({});
  equal(await logins.check(LOGIN), "wrong");
});
