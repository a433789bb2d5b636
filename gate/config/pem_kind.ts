/** What a file of PEM is, where it is not what it should be: a mistake that libssl tells in words of its own. */

const CERTIFICATE = "-----BEGIN CERTIFICATE-----", KEY = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/;
const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;
const REQUEST = /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----/;

/** Why there is no certificate in it; undefined: there is one. */
export function lacksCertificate(pem: string): string | undefined {
  if (pem.includes(CERTIFICATE)) return undefined;
  if (KEY.test(pem)) return "expected certificates: it has a private key alone";
  return REQUEST.test(pem)
    ? "expected certificates: it is a request for one, which nobody has signed"
    : "expected certificates in PEM, which begin with -----BEGIN CERTIFICATE-----";
}

/** Why there is no private key in it that can be read; undefined: there is one. */
export function lacksKey(pem: string): string | undefined {
  if (ENCRYPTED.test(pem)) return "expected a private key without a passphrase: it has one";
  if (KEY.test(pem)) return undefined;
  return pem.includes(CERTIFICATE)
    ? "expected a private key: it has certificates alone"
    : "expected a private key in PEM, which begins with -----BEGIN PRIVATE KEY-----";
}
