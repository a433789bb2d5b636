import {
  isForwardingClaim,
  isHopByHop,
  isIdentityClaim,
  KIND,
  kindOf,
} from "../../../protocols/http/field_kinds.ts";
import { equal, ok } from "../../support/assert.ts";
import { latin1 } from "../../support/http_codec.ts";

const kind = (name: string): number => kindOf(latin1(`..${name}:`), 2, 2 + name.length);

Deno.test("a field's name has its kind in any case", () => {
  for (const name of ["content-length", "Content-Length", "CONTENT-LENGTH", "cOnTeNt-lEnGtH"]) {
    equal(kind(name), KIND.contentLength);
  }
  equal(kind("te"), KIND.te);
  equal(kind("x-forwarded-client-cert"), KIND.forwardedClientCert);
  equal(kind("Http2-Settings"), KIND.http2Settings);
  equal(kind("ETag"), KIND.etag);
});

Deno.test("every other name is other, however alike", () => {
  for (
    const name of [
      "x",
      "hos",
      "hosts",
      "content-lengt",
      "content-lengthx",
      "tee",
      "x-forwarded-",
      "client-cer",
    ]
  ) {
    equal(kind(name), KIND.other, name);
  }
  equal(kind("x_request_id"), KIND.other);
  equal(kind("user_agent"), KIND.other);
});

Deno.test("claims are told by their beginning, and with underscores", () => {
  equal(kind("X-Forwarded-Anything"), KIND.forwardedOther);
  equal(kind("client-cert-chain"), KIND.clientCert);
  for (const name of ["X_Forwarded-For", "x-forwarded_for", "REMOTE_USER", "x_real_ip", "X_Forwarded_Any"]) {
    equal(kind(name), KIND.disguisedClaim, name);
  }
  ok(isIdentityClaim(kind("client_cert_chain")));
  equal(kind("transfer_encoding"), KIND.disguisedFraming);
});

Deno.test("each kind belongs to one group at most", () => {
  for (const of of Object.values(KIND)) {
    ok([isHopByHop, isIdentityClaim, isForwardingClaim].filter((group) => group(of)).length <= 1);
  }
  ok(isHopByHop(KIND.connection) && isHopByHop(KIND.http2Settings) && !isHopByHop(KIND.host));
  ok(isForwardingClaim(KIND.forwarded) && isForwardingClaim(KIND.realIp) && !isForwardingClaim(KIND.via));
  ok(
    isIdentityClaim(KIND.forwardedUser) && isIdentityClaim(KIND.disguisedClaim) &&
      !isIdentityClaim(KIND.other),
  );
});
