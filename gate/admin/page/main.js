/** Asks the gate how it is, again and again while somebody looks, and shows it. */
import { Configuration } from "./configuration.js";
import { Connections } from "./connections.js";
import { find, setText } from "./dom.js";
import { Failures } from "./failures.js";
import { duration } from "./format.js";
import { Nodes } from "./nodes.js";
import { Requests } from "./requests.js";
import { Tables } from "./tables.js";
import { Traffic } from "./traffic.js";

const INTERVAL = 2000, ANSWER_TIME = 6000;

const traffic = new Traffic(find("tiles"));
const failures = new Failures(find("happening"), find("failures"));
const connections = new Connections(find("live"), find("shown"), find("filter"));
const requests = new Requests(find("requests"), find("by-route"));
const nodes = new Nodes(find("nodes"), find("reached"), find("nodes-shown"));
const tables = new Tables();
const configuration = new Configuration(() => look());

let paused = false;
let timer;
/** The looking that is under way. */
let looking;
let startedAt;

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(ANSWER_TIME), cache: "no-store" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return await answer.json();
}

/** One look, then the next one after a while. */
async function look() {
  clearTimeout(timer);
  await (looking ??= lookOnce().finally(() => looking = undefined));
  clearTimeout(timer);
  if (!paused && !document.hidden) timer = setTimeout(look, INTERVAL);
}

async function lookOnce() {
  try {
    const at = performance.now();
    const [status, live, connected] = await Promise.all(
      ["/status", connections.path, nodes.path].map(ask),
    );
    if (status.startedAt !== startedAt) forget();
    startedAt = status.startedAt;
    traffic.show(status, at);
    failures.show(status, Date.now());
    requests.show(status, at);
    tables.show(status);
    configuration.show(status);
    connections.take(live);
    nodes.show(connected);
    tell(status.draining ? "draining" : "serving", status.draining ? "Draining" : "Serving");
    tellAbout(status);
  } catch (thrown) {
    console.warn(thrown);
    tell("away", "No answer");
  }
}

/** What was seen before cannot be compared to what comes. */
function forget() {
  traffic.forget();
  requests.forget();
  failures.forget();
}

function tell(state, text) {
  find("state").dataset.state = state;
  setText(find("state"), text);
  document.body.classList.toggle("stale", state === "away");
  document.title = state === "serving" ? "ugate" : `${text} · ugate`;
}

function tellAbout({ version }) {
  setText(
    find("about"),
    `${version} at ${location.host}, up for ${duration(Date.now() - Date.parse(startedAt))}`,
  );
}

function setPaused(is) {
  paused = is;
  const button = find("pause");
  button.setAttribute("aria-pressed", String(paused));
  setText(button, paused ? "Paused" : "Pause");
  resume();
}

/** Looks again; rates of a time nobody looked at would be averages that are shown as now. */
function resume() {
  clearTimeout(timer);
  if (paused || document.hidden) return;
  forget();
  look();
}

find("pause").addEventListener("click", () => setPaused(!paused));
find("filter").addEventListener("input", () => {
  connections.show();
  if (!paused) look(); // more are asked for where one looks for something
});
document.addEventListener("visibilitychange", resume);
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  find("filter").focus();
});
setInterval(() => {
  if (!document.hidden) configuration.tick();
}, 1000);
look();
