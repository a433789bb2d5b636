import { COPY_CASES } from "../../conformance/copy.ts";
import { JOINT_CASES } from "../../conformance/joint.ts";
import { STREAM_CASES } from "../../conformance/stream.ts";
import { memoryPair } from "../../support/memory_stream.ts";
import { onLoop } from "../../support/on_loop.ts";
import { SUBJECTS } from "../../support/stream_pairs.ts";

for (const [name, subject] of Object.entries(SUBJECTS)) {
  for (const [says, act] of Object.entries({ ...STREAM_CASES, ...JOINT_CASES })) {
    Deno.test(`a stream over ${name}: ${says}`, () => onLoop(() => act(subject)));
  }
}

for (const from of ["TCP", "a unix socket", "xor", "mux"]) {
  for (const to of ["TCP", "xor", "mux over xor"]) {
    for (const [says, act] of Object.entries(COPY_CASES)) {
      Deno.test(`a copy from ${from} to ${to}: ${says}`, () =>
        onLoop(() => act(SUBJECTS[from], SUBJECTS[to])));
    }
  }
}

for (const [says, act] of Object.entries(STREAM_CASES)) {
  Deno.test(`a stream in memory: ${says}`, () => {
    return act({
      pair: () => Promise.resolve(memoryPair()),
      resets: true,
      settle: () => new Promise((done) => setTimeout(done, 1)),
    });
  });
}
