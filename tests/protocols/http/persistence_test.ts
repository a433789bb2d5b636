import { MessageHead, OPTION } from "../../../protocols/http/message_head.ts";
import { parseRequest, parseResponse } from "../../../protocols/http/parse_head.ts";
import {
  connectionOption,
  deliveredBody,
  persists,
  upstreamPersists,
} from "../../../protocols/http/persistence.ts";
import { equal, ok } from "../../support/assert.ts";
import { latin1 } from "../../support/http_codec.ts";

function request(lines: string, version = "1.1"): MessageHead {
  const bytes = latin1(`GET / HTTP/${version}\r\nHost: a:1\r\n${lines}\r\n`), head = new MessageHead();
  ok(parseRequest(head, bytes, 0, bytes.length, 4096) === head);
  return head;
}

function response(lines: string, start = "HTTP/1.1 200 OK", asked = 0): MessageHead {
  const bytes = latin1(`${start}\r\n${lines}\r\n`), head = new MessageHead();
  ok(parseResponse(head, bytes, 0, bytes.length, 4096, asked) === head);
  return head;
}

Deno.test("a sender of HTTP/1.1 stays unless it says close, one of HTTP/1.0 if it says so", () => {
  equal(persists(request("")), true);
  equal(persists(request("Connection: x, Close\r\n")), false);
  equal(persists(request("Connection: keep-alive\r\n")), true);
  equal(persists(request("", "1.0")), false);
  equal(persists(request("Connection: Keep-Alive\r\n", "1.0")), true);
  equal(persists(request("Connection: keep-alive, close\r\n", "1.0")), false);
  equal(persists(request("Proxy-Connection: keep-alive\r\n", "1.0")), false);
});

Deno.test("an upstream serves again when its response has an end of its own", () => {
  equal(upstreamPersists(response("Content-Length: 5\r\n")), true);
  equal(upstreamPersists(response("Transfer-Encoding: chunked\r\n")), true);
  equal(upstreamPersists(response("")), false);
  equal(upstreamPersists(response("Content-Length: 5\r\nConnection: close\r\n")), false);
  equal(upstreamPersists(response("Content-Length: 5\r\n", "HTTP/1.0 200 OK")), false);
  equal(
    upstreamPersists(response("Content-Length: 5\r\nConnection: keep-alive\r\n", "HTTP/1.0 200 OK")),
    true,
  );
  equal(upstreamPersists(response("", "HTTP/1.1 304 x")), true);
  equal(upstreamPersists(response("", "HTTP/1.1 200 OK", 2)), false);
});

Deno.test("an upstream that announces content with 204 does not serve again", () => {
  equal(upstreamPersists(response("", "HTTP/1.1 204 x")), true);
  equal(upstreamPersists(response("Content-Length: 0\r\n", "HTTP/1.1 204 x")), true);
  equal(upstreamPersists(response("Content-Length: 5\r\n", "HTTP/1.1 204 x")), false);
  equal(upstreamPersists(response("Transfer-Encoding: chunked\r\n", "HTTP/1.1 204 x")), false);
});

Deno.test("HTTP/1.0 gets chunked content as bare content that the connection ends", () => {
  const chunked = response("Transfer-Encoding: chunked\r\n");
  equal([deliveredBody(chunked, 0), deliveredBody(chunked, 1)], ["close", "chunked"]);
  equal(deliveredBody(response("Content-Length: 5\r\n"), 0), "length");
});

Deno.test("a client is told of its connection what it would not expect", () => {
  equal([connectionOption(true, 1), connectionOption(true, 0)], [0, OPTION.keepAlive]);
  equal([connectionOption(false, 1), connectionOption(false, 0)], [OPTION.close, OPTION.close]);
});
