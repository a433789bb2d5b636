import { CertificateIndex } from "../../gate/certificate_index.ts";
import { equal } from "../support/assert.ts";

const one = { names: ["a.example", "*.example"] };
const two = { names: ["*.example", "*.b.example"] };
const address = { names: [] };
const index = new CertificateIndex([one, two, address]);

Deno.test("an exact name comes before a wildcard, whose star is one label", () => {
  equal(index.find("a.example"), one);
  equal(index.find("z.example"), one);
  equal(index.find("z.b.example"), two);
  equal(index.find("y.z.b.example"), undefined);
  equal(index.find("example"), undefined);
  equal(index.find("com"), undefined);
});

Deno.test("who gives no name gets the first certificate", () => {
  equal(index.find(undefined), one);
  equal(new CertificateIndex([address, one]).find(undefined), address);
  equal(new CertificateIndex([]).find(undefined), undefined);
});

Deno.test("a route's pattern is covered where some name of it has a certificate", () => {
  const covered = ["a.example", "z.example", "*.example", "*.b.example", "*"];
  equal(covered.filter((pattern) => !index.covers(pattern)), []);
  equal(["example", "a.b.c.example", "*.c.example", "*.test"].filter((pattern) => index.covers(pattern)), []);
  equal(new CertificateIndex([{ names: ["deep.in.a.test"] }]).covers("*.test"), true);
  equal(new CertificateIndex([]).covers("*"), false);
});
