/** How acme-client's requests go out: by `fetch`, for node's https asks for rights that a compiled gate does not have. */
import type { axios } from "acme-client";

type Adapter = Extract<typeof axios.defaults.adapter, (...given: never) => unknown>;

/** ms of one request. */
const REQUEST_TIME = 30_000;
/** Of one answer: a chain has a few kB. */
const MOST_BYTES = 1024 * 1024;

/** `roots`: PEM of who vouches for servers; absent: those of the runtime. The thread ends with it. */
export function fetchAdapter(roots: string | undefined): Adapter {
  const client = Deno.createHttpClient(roots === undefined ? {} : { caCerts: [roots] });
  return async (config) => {
    const { url = "", method = "get", headers, data } = config;
    const signal = AbortSignal.timeout(REQUEST_TIME);
    const sent = new Headers();
    for (const [name, value] of Object.entries(headers.toJSON())) sent.append(name, String(value));
    const asked = { client, signal, method: method.toUpperCase(), headers: sent, body: data };
    const response = await fetch(url, asked);
    const { status, statusText } = response;
    const answer = await textOf(response);
    return { data: answer, status, statusText, headers: Object.fromEntries(response.headers), config };
  };
}

async function textOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > MOST_BYTES) throw new Error("the authority's answer is larger than 1 MiB");
    chunks.push(chunk);
  }
  return await new Blob(chunks as Uint8Array<ArrayBuffer>[]).text();
}
