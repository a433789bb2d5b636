/** Whether a regular expression is one that an engine may match paths with. */
import { Regex, type State } from "../regex.ts";
import { RegexError } from "../regex_syntax.ts";

/** States of its automaton, which an engine makes one by one as paths need them, and keeps. */
const MOST_STATES = 500;
const SLASH = 0x2f;

/** What is wrong with it; undefined: nothing. */
export function regexFault(text: string): string | undefined {
  if (text === "") return "something to match by";
  try {
    return faultOf(new Regex(text));
  } catch (thrown) {
    if (thrown instanceof RegexError) return `column ${thrown.column} ${thrown.state}`;
    throw thrown;
  }
}

function faultOf(regex: Regex): string | undefined {
  const states = regex.statesFrom(regex.step(regex.start, SLASH), MOST_STATES);
  if (!states) return `one of at most ${MOST_STATES} states: shorten what is repeated behind a wildcard`;
  return states.values().some(isMatch) ? undefined : "one that matches a path, which begins with /";
}

const isMatch = ({ found, atEnd }: State): boolean => found || atEnd;
