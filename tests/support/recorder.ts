/** A backend that remembers what each request it got was, read strictly, and answers it with its name. */
import type { Buffer } from "node:buffer";
import { listen } from "./net.ts";
import { readStrictly, type StrictRequest } from "./strict_reader.ts";

export interface Recorder extends AsyncDisposable {
  readonly port: number;
  /** In the order in which they came, over all connections. */
  readonly requests: StrictRequest[];
  /** What came and was no request: a server that is less careful might make one of it. */
  readonly strange: string[];
}

/** Tells of each response which request it is for. */
export const ANSWERS = "X-Answers";

export async function startRecorder(): Promise<Recorder> {
  const requests: StrictRequest[] = [], strange: string[] = [];
  const server = await listen((socket) => {
    let text = "";
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
      const read = readStrictly(text);
      text = read.rest;
      for (const request of read.requests) {
        requests.push(request);
        socket.write(
          `HTTP/1.1 200 OK\r\n${ANSWERS}: ${request.method} ${request.target}\r\nContent-Length: 0\r\n\r\n`,
        );
      }
      if (!read.malformed) return;
      strange.push(text);
      socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    socket.on("end", () => {
      if (text !== "") strange.push(text); // a message that was cut
      text = "";
      socket.end();
    });
  });
  return { port: server.port, requests, strange, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}
