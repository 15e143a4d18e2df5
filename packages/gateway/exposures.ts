export type ExposureKind = "http" | "vscode" | "ssh";

/** A name under which strangers reach something in a sandbox. It outlives the sandbox as a record. */
export interface Exposure {
  /** `http` and `vscode`: the first label of the domain. `ssh`: the user name, as a hash. */
  name: string;
  kind: ExposureKind;
  sandboxId: string;
  organizationId: string;
  access: "public" | "protected";
  /** SHA-256, hexadecimal, of the token that a visitor must show when access is protected. */
  accessHash: string | null;
  /** Epoch milliseconds. */
  createdAt: number;
}

/**
 * Answers at once and for ended sandboxes too, so that a visitor can be told "it has ended" apart
 * from "there was never such a name".
 */
export interface ExposureDirectory {
  /** By label, in lower case; finds `http` and `vscode`. */
  find(name: string): Exposure | undefined;
  /** By the user name that a client of SSH gives. */
  findSsh(username: string): Exposure | undefined;
}
