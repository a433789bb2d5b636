/** Which configuration holds, how the last reload went, and a trial with the time it has left. */
import { element, find, setText } from "./dom.js";
import { date, duration } from "./format.js";

export class Configuration {
  #facts = new Map();
  /** When the trial is over, by this page's clock. */
  #over;

  /** `changed`: something was done, so look again. */
  constructor(changed) {
    for (const name of ["Files", "Last reload", "Engines", "Wrong passwords", "Started"]) {
      const value = element("dd", "", "–");
      find("configuration").append(element("dt", "", name), value);
      this.#facts.set(name, value);
    }
    onPress(find("reload"), changed, async () => tell(await post("/reload")));
    // The command puts the file in its place too: what the gate alone holds is gone with the next reload.
    const { hostname, port } = location;
    setText(find("trial-command"), `ugate confirm --admin ${hostname}:${port || 80}`);
  }

  show({ configuration, engines, authFailures, startedAt }) {
    const { files, lastGood, lastReload, trial } = configuration;
    const say = (name, text) => setText(this.#facts.get(name), text);
    const named = files.length > 0 ? files.join(", ") : "none: the built-in configuration";
    say("Files", lastGood ? `${named} as it worked last: what is there now is broken` : named);
    this.#facts.get("Files").className = lastGood ? "bad" : "";
    const why = lastReload?.problems.length > 0 ? `: ${lastReload.problems.join("; ")}` : "";
    say(
      "Last reload",
      lastReload ? `${lastReload.result}, ${date(lastReload.at)}${why}` : "none since the start",
    );
    say("Engines", enginesText(engines));
    say("Wrong passwords", String(authFailures));
    say("Started", date(startedAt));
    this.#facts.get("Last reload").className = lastReload?.result === "refused" ? "bad" : "";
    this.#over = trial && performance.now() + trial.left;
    this.tick();
  }

  /** The time that a trial has left. */
  tick() {
    find("trial").hidden = this.#over === undefined;
    if (this.#over === undefined) return;
    const left = this.#over - performance.now();
    const end = left > 0
      ? `Unless it is confirmed, the one before holds again in ${duration(left)}.`
      : "Its time is over. Where the one before cannot hold again, the log tells why.";
    setText(find("trial-left"), end);
  }
}

function enginesText(engines) {
  const alive = engines.filter((engine) => engine.alive).length;
  const restarts = engines.reduce((sum, engine) => sum + engine.restarts, 0);
  return `${alive} of ${engines.length} running${restarts > 0 ? `, started again ${restarts} times` : ""}`;
}

/** A button that waits for its end. */
function onPress(button, changed, act) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await act();
    } catch (thrown) {
      tell({ ok: false, text: `Cannot reach the gate: ${thrown.message}` });
    }
    button.disabled = false;
    changed();
  });
}

async function post(path) {
  const answer = await fetch(path, { method: "POST", signal: AbortSignal.timeout(65_000) });
  return { ok: answer.ok, text: await answer.text() };
}

function tell({ ok, text }) {
  const lines = element("ul", ok ? "" : "refused", ...linesOf(text).map((line) => element("li", "", line)));
  find("outcome").replaceChildren(lines);
}

/** The sentences of a reload's outcome; another answer is one already. */
function linesOf(text) {
  try {
    const { result, changes, warnings, problems } = JSON.parse(text);
    return [`The configuration is ${result}`, ...changes, ...warnings, ...problems];
  } catch {
    return [text.trim()];
  }
}
