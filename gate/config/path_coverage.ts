/** Whether all paths of one route are another's too. */
import { pathMatches, regexOf } from "../request_path.ts";
import type { Regex, State } from "../regex.ts";
import type { PathMatch } from "../snapshot.ts";

const SLASH = 0x2f;

/** Certain where it says so: two regular expressions are compared by their text alone. */
export function hasPaths(all: PathMatch, some: PathMatch): boolean {
  if ("exact" in some) return pathMatches(all, some.exact);
  if ("exact" in all) return false;
  if ("prefix" in some) {
    return "prefix" in all ? pathMatches(all, some.prefix) : takesAllBelow(all, some.prefix);
  }
  return "prefix" in all ? isBelow(some, all.prefix) : all.regex === some.regex;
}

/** Whether the expression matches the prefix itself and whatever comes behind its slash. */
function takesAllBelow(match: { readonly regex: string }, prefix: string): boolean {
  const regex = regexOf(match), below = prefix === "/" ? prefix : `${prefix}/`;
  let state = regex.start;
  for (let at = 0; at < below.length; at++) state = regex.step(state, below.charCodeAt(at));
  return state.found && regex.test(prefix);
}

/** Whether the expression matches nothing but the prefix and what is below it. */
function isBelow(match: { readonly regex: string }, prefix: string): boolean {
  if (prefix === "/") return true;
  const regex = regexOf(match), hopeful = hopefulOf(regex);
  let state = regex.step(regex.start, SLASH);
  for (let at = 1; at <= prefix.length; at++) {
    const code = at < prefix.length ? prefix.charCodeAt(at) : SLASH;
    const ended = at < prefix.length && (state.found || state.atEnd);
    if (ended || regex.othersThan(state, code).some((other) => hopeful.has(other))) return false;
    state = regex.step(state, code);
  }
  return true;
}

const hopeful = new WeakMap<Regex, Set<State>>();

/** The states from which some path still matches. */
function hopefulOf(regex: Regex): Set<State> {
  let states = hopeful.get(regex);
  if (!states) hopeful.set(regex, states = findHopeful(regex));
  return states;
}

function findHopeful(regex: Regex): Set<State> {
  const begun = regex.step(regex.start, SLASH);
  const all = Array.from(regex.statesFrom(begun, Infinity) ?? []);
  const found = new Set(all.filter((state) => state.found || state.atEnd));
  for (let before = -1; before < found.size;) {
    before = found.size;
    for (const state of all) if (state.next.some((next) => found.has(next))) found.add(state);
  }
  return found;
}
