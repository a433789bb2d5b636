/**
 * README.md's way to a machine behind NAT, line by line as it stands there, with the clients that people have. Behind the
 * `#` of a line is a part of what it prints. Keys take the place of `AAAA…`, and what a reader answers once is answered.
 */
import { need } from "../../scripts/clients.ts";
import { equal, ok } from "../support/assert.ts";
import { type Child, succeed } from "../support/child.ts";
import { canRoute } from "../support/nat.ts";
import { recipeOf, type Step, type Typed } from "../support/recipe.ts";
import { RecipeWorld, SITE } from "../support/recipe_world.ts";

const README = Deno.readTextFileSync(new URL("../../README.md", import.meta.url));
const TITLE = "Reach a Raspberry Pi behind NAT with nothing but ssh";
const CLIENTS = ["ssh", "sshd", "ssh-keygen", "autossh", "dbclient", "dropbearconvert", "plink", "puttygen"];
const isPossible = await canRoute() && need(...CLIENTS, "curl", "python3", "openssl", "systemd-analyze");

/** What stays: gates, and the ways of the Pi to one of them. */
const RUNS = /^ugate run /, CONNECTS = /^(\/usr\/bin\/)?(ssh -N|ssh .* -R|autossh|dbclient|plink) /;
/** ms until a name is reached that somebody connected for. */
const PATIENCE = 20_000;

class Reader {
  /** The Pi's way to the gate. */
  #connected: Child | undefined;
  constructor(readonly world: RecipeWorld) {}

  async follow(step: Step): Promise<void> {
    if (step.kind === "file") return await this.#file(step.name, step.text);
    for (const line of step.lines) await this.#type(line);
  }

  async #file(name: string, text: string): Promise<void> {
    const { world } = this;
    if (name === "shown") return await this.#compare(text);
    if (name.endsWith(".service")) return await this.#serve(name.slice(name.lastIndexOf("/") + 1), text);
    if (name === "authorized_keys") {
      const keyed = text.replaceAll(
        /ssh-ed25519 AAAA… (pi|me)/g,
        (_, who: "pi" | "me") => world.keys[who].line,
      );
      return await world.write("gate", name, keyed);
    }
    if (name === "pi.yaml") return await world.write("gate", name, text);
    const path = name.replace(/^~\//, "");
    await world.write(path === "office.yaml" ? "client" : "pi", path, text);
  }

  /** What the Pi's owner sees of who connected last. */
  async #compare(text: string): Promise<void> {
    const client = this.#connected!;
    for (const line of text.trimEnd().split("\n")) {
      await client.until(() => client.stdout.includes(`${line}\n`) || undefined);
    }
  }

  /** A unit is one for systemd, and what it starts connects. */
  async #serve(name: string, text: string): Promise<void> {
    const { stderr } = await succeed("systemd-analyze", [
      "verify",
      await this.world.folder.write(name, text),
    ]);
    ok(!stderr.includes(name), stderr);
    const command = /^ExecStart=(.*)$/m.exec(text)![1];
    await this.#type({ machine: "pi", command, prints: "" });
  }

  async #type({ machine, command, prints }: Typed): Promise<void> {
    const { world } = this;
    if (CONNECTS.test(command)) return await this.#connect(command);
    if (RUNS.test(command)) {
      await world.stay(machine, command).line(/^ready$/m);
      if (machine === "gate") await world.believe(await this.#hostKey());
      return;
    }
    const { stdout, stderr, code } = await world.type(machine, command);
    const isWell = code === 0 && !stderr.includes("warning:");
    ok(isWell && stdout.includes(prints), `${command}\n${stdout}\n${stderr}`);
  }

  async #connect(command: string): Promise<void> {
    const { world } = this;
    await this.#connected?.[Symbol.asyncDispose]();
    // Who has never met the gate is asked whether its key is right.
    if (command.startsWith("plink")) await world.type("pi", command.replace("-N", "") + " help", "y\n");
    this.#connected = world.stay("pi", command);
    const late = performance.now() + PATIENCE;
    for (;;) {
      const { stdout, stderr } = await world.type("client", "curl -sS -m 2 http://pi.mesh.example.com/");
      if (stdout.includes(SITE)) return;
      const said = `${command}\n${this.#connected.stdout}${this.#connected.stderr}\n${stderr}`;
      if (performance.now() > late || this.#connected.ended) throw new Error(said);
      await new Promise((rested) => setTimeout(rested, 100));
    }
  }

  async #hostKey(): Promise<string> {
    const { stdout } = await this.world.type("gate", "ugate id -c pi.yaml --json");
    return JSON.parse(stdout).knownHosts.split(" ").slice(1).join(" ");
  }
}

Deno.test({
  name: `README.md: ${TITLE}, line by line`,
  ignore: !isPossible,
  async fn() {
    const steps = recipeOf(README, TITLE);
    equal(steps.filter(({ kind }) => kind === "typed").length, 6);
    await using world = await RecipeWorld.make();
    const reader = new Reader(world);
    for (const step of steps) await reader.follow(step);
  },
});
