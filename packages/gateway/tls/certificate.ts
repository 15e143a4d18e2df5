import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";

/** A chain of certificates, the server's first, and the key of the first; PEM. */
export interface KeyPair {
  cert: string;
  key: string;
}

/** What a server shows, and what it says about itself. */
export interface Certificate extends KeyPair {
  names: string[];
  notBefore: number;
  notAfter: number;
  context: SecureContext;
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const PEM_KEY = /-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]+?-----END \1-----/;

/** Throws an Error that says what is wrong with the text: no certificate, no key, not its key. */
export function readCertificate(text: KeyPair): Certificate {
  const chain = text.cert.match(PEM_CERTIFICATE);
  if (!chain) throw new Error("there is no PEM certificate in it");
  const parsed = chain.map((pem, index) => {
    try {
      return new X509Certificate(pem);
    } catch (cause) {
      throw new Error(`certificate ${index + 1} of the chain cannot be read`, { cause });
    }
  });
  // Both may stand in one file: what is not asked for is in the way of readers.
  const cert = chain.join("\n") + "\n";
  const key = (PEM_KEY.exec(text.key)?.[0] ?? "") + "\n";
  let secret;
  try {
    secret = createPrivateKey(key);
  } catch (cause) {
    throw new Error("the private key cannot be read (PEM, without a passphrase)", { cause });
  }
  const [own] = parsed;
  if (!own.checkPrivateKey(secret)) throw new Error("the key is not the certificate's");
  return {
    cert,
    key,
    names: namesOf(own),
    notBefore: Date.parse(own.validFrom),
    notAfter: Date.parse(own.validTo),
    context: createSecureContext({ cert, key, minVersion: "TLSv1.2" }),
  };
}

/** The names that the certificate is for, in lower case. */
export function namesOf(certificate: X509Certificate): string[] {
  return [...(certificate.subjectAltName ?? "").matchAll(/DNS:([^,\s]+)/g)]
    .map((match) => match[1].toLowerCase());
}

/** Whether a client that asks for `name` takes a certificate with these names. */
export function covers(names: readonly string[], name: string): boolean {
  const wildcard = name.replace(/^[^.]+/, "*");
  return names.includes(name) || names.includes(wildcard);
}

export function isExpired({ notAfter }: { notAfter: number }, now = Date.now()): boolean {
  return notAfter <= now;
}
