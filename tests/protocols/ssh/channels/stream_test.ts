import { openssl } from "../../../../gate/engine/openssl_library.ts";
import type { KexInit } from "../../../../protocols/ssh/kexinit.ts";
import { COPY_CASES } from "../../../conformance/copy.ts";
import { JOINT_CASES } from "../../../conformance/joint.ts";
import { STREAM_CASES, type StreamSubject } from "../../../conformance/stream.ts";
import { onLoop } from "../../../support/on_loop.ts";
import { sshOver } from "../../../support/ssh_pairs.ts";
import { over, SUBJECTS } from "../../../support/stream_pairs.ts";
import { tlsOver } from "../../../support/tls_pairs.ts";
import { mux } from "../../../support/toy_mux.ts";

openssl(); // the library stays: no test is to be blamed for it

const tcp = SUBJECTS["TCP"];
const only = (cipher: string) => (offer: KexInit): KexInit => ({
  ...offer,
  up: { ...offer.up, ciphers: [cipher] },
  down: { ...offer.down, ciphers: [cipher] },
});
const ssh = () => sshOver(tcp.pair);
const often = { keyLife: { bytes: 1_100_000, time: 3_600_000 } };
const SSH_SUBJECTS: Readonly<Record<string, StreamSubject>> = {
  "SSH": { ...tcp, pair: ssh },
  "SSH with chacha20": {
    ...tcp,
    pair: () => sshOver(tcp.pair, { narrow: only("chacha20-poly1305@openssh.com") }),
  },
  "SSH with AES-CTR": { ...tcp, pair: () => sshOver(tcp.pair, { narrow: only("aes128-ctr") }) },
  "SSH that changes its keys": { ...tcp, pair: () => sshOver(tcp.pair, often) },
  "SSH over SSH": { ...tcp, pair: () => sshOver(ssh) },
  "SSH over TLS": { ...tcp, pair: () => sshOver(() => tlsOver(tcp.pair)) },
  "TLS over SSH": { ...tcp, pair: () => tlsOver(ssh) },
  "SSH over mux": { ...tcp, pair: () => sshOver(SUBJECTS["mux"].pair) },
  "mux over SSH": { ...tcp, pair: () => over(mux, ssh) },
};

for (const [name, subject] of Object.entries(SSH_SUBJECTS)) {
  for (const [says, act] of Object.entries({ ...STREAM_CASES, ...JOINT_CASES })) {
    Deno.test(`a stream over ${name}: ${says}`, () => onLoop(() => act(subject)));
  }
}

for (
  const [from, to] of [["TCP", "SSH"], ["SSH", "TCP"], ["SSH", "SSH over SSH"], [
    "SSH over TLS",
    "mux over SSH",
  ]]
) {
  for (const [says, act] of Object.entries(COPY_CASES)) {
    Deno.test(`a copy from ${from} to ${to}: ${says}`, () => {
      const subjects = { ...SUBJECTS, ...SSH_SUBJECTS };
      return onLoop(() => act(subjects[from], subjects[to]));
    });
  }
}
