import { COPY_CASES } from "../../conformance/copy.ts";
import { JOINT_CASES } from "../../conformance/joint.ts";
import { STREAM_CASES, type StreamSubject } from "../../conformance/stream.ts";
import { onLoop } from "../../support/on_loop.ts";
import { over, SUBJECTS } from "../../support/stream_pairs.ts";
import { tlsOver } from "../../support/tls_pairs.ts";
import { mux } from "../../support/toy_mux.ts";

const tcp = SUBJECTS["TCP"];
const tls = () => tlsOver(tcp.pair);
const TLS_SUBJECTS: Readonly<Record<string, StreamSubject>> = {
  "TLS": { ...tcp, pair: tls },
  "TLS over TLS": { ...tcp, pair: () => tlsOver(tls) },
  "TLS over mux": { ...tcp, pair: () => tlsOver(SUBJECTS["mux"].pair) },
  "mux over TLS": { ...tcp, pair: () => over(mux, tls) },
};

for (const [name, subject] of Object.entries(TLS_SUBJECTS)) {
  for (const [says, act] of Object.entries({ ...STREAM_CASES, ...JOINT_CASES })) {
    Deno.test(`a stream over ${name}: ${says}`, () => onLoop(() => act(subject)));
  }
}

for (const [from, to] of [["TCP", "TLS"], ["TLS", "TCP"], ["TLS", "TLS over TLS"], ["TLS", "mux over TLS"]]) {
  for (const [says, act] of Object.entries(COPY_CASES)) {
    Deno.test(`a copy from ${from} to ${to}: ${says}`, () => {
      const subjects = { ...SUBJECTS, ...TLS_SUBJECTS };
      return onLoop(() => act(subjects[from], subjects[to]));
    });
  }
}
