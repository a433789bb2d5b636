/**
 * What real node serves: it answers with the method, the path and the content that came. `node node_backend.mjs [CHAIN
 * KEY [CLIENTS]]`: over TLS with these PEM files, and only for clients whose certificate CLIENTS vouches for.
 *
 *   /events, /drip   events, or text without a length: each one when the one before was confirmed by POST /seen, the
 *                    fourth ends it; so nothing arrives where something on the way waits for more
 *   /unframed        as /drip, and its end is the end of the connection
 *   /digest          SHA-256 of the content
 *   /trailers        chunked content with a trailer
 *   an upgrade       a WebSocket that sends back what it gets
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import process from "node:process";

const [chain, key, clients] = process.argv.slice(2);
const PIECES = 3;
/** Who waits for the next confirmation. */
let pending;

function drip(response, piece) {
  let sent = 0;
  pending = () => sent < PIECES ? response.write(piece(++sent)) : response.end();
  pending();
}

const PATHS = {
  "/events": (_request, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    drip(response, (n) => `id: ${n}\ndata: event ${n}\n\n`);
  },
  "/drip": (_request, response) => {
    response.writeHead(200, { "Content-Type": "text/plain" });
    drip(response, (n) => `piece ${n}\n`);
  },
  "/unframed": (_request, response) => {
    response.useChunkedEncodingByDefault = false;
    response.writeHead(200, { "Content-Type": "text/plain", Connection: "close" });
    drip(response, (n) => `piece ${n}\n`);
  },
  "/seen": (_request, response) => {
    response.end("ok");
    pending?.();
  },
  "/digest": (request, response) => {
    const hash = createHash("sha256");
    request.on("data", (bytes) => hash.update(bytes)).on("end", () => response.end(hash.digest("hex")));
  },
  "/trailers": (_request, response) => {
    response.writeHead(200, { Trailer: "X-Checksum" });
    response.write("content");
    response.addTrailers({ "X-Checksum": "of it" });
    response.end();
  },
};

function serve(request, response) {
  const known = PATHS[request.url.split("?")[0]];
  if (known) return known(request, response);
  response.writeHead(200, {
    "Content-Type": "text/plain",
    "x-seen": request.headers["x-forwarded-for"] ?? "",
    "x-proto": request.headers["x-forwarded-proto"] ?? "",
  });
  response.write(`${request.method} ${request.url} `);
  request.pipe(response);
}

/** RFC 6455 4.2.2 and 5: every frame goes back unmasked, as it came. */
function upgrade(request, socket, head) {
  const accept = createHash("sha1")
    .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  let held = head;
  const read = (bytes) => {
    held = Buffer.concat([held, bytes]);
    for (let frame = take(); frame; frame = take()) {
      socket.write(frame);
      if ((frame[0] & 0x0f) === 8) socket.end();
    }
  };
  const take = () => {
    if (held.length < 2) return undefined;
    const short = held[1] & 0x7f, header = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
    if (held.length < header + 4) return undefined;
    const size = short === 126
      ? held.readUInt16BE(2)
      : short === 127
      ? Number(held.readBigUInt64BE(2))
      : short;
    if (held.length < header + 4 + size) return undefined;
    const mask = held.subarray(header, header + 4);
    const frame = Buffer.concat([held.subarray(0, header), held.subarray(header + 4, header + 4 + size)]);
    frame[1] &= 0x7f;
    for (let i = 0; i < size; i++) frame[header + i] ^= mask[i & 3];
    held = held.subarray(header + 4 + size);
    return frame;
  };
  socket.on("data", read).on("error", () => {}).on("end", () => socket.end());
  read(Buffer.alloc(0));
}

const server = chain
  ? https.createServer({
    cert: readFileSync(chain),
    key: readFileSync(key),
    ...clients && { ca: readFileSync(clients), requestCert: true, rejectUnauthorized: true },
  }, serve)
  : http.createServer(serve);
server.on("upgrade", upgrade);
server.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));
