/** Firecracker's versions that this driver speaks with. */
export const SUPPORTED = {
  /** Earlier ones corrupt differential snapshots of machines above 3 GiB. */
  from: [1, 15, 0],
  /** Not this one: a new major version may change the API. */
  below: [2, 0, 0],
} as const;

export const SUPPORTED_RANGE = `${SUPPORTED.from.join(".")} up to, not including, ${
  SUPPORTED.below.join(".")
}`;

/** The version in what `firecracker --version` or `jailer --version` prints, without its `v`. */
export function versionIn(text: string, program: "Firecracker" | "Jailer"): string | undefined {
  return new RegExp(`^${program} v(\\d+\\.\\d+\\.\\d+\\S*)`, "m").exec(text)?.[1];
}

/** Why this version is not used, as a sentence, or undefined when it is. */
export function versionProblem(version: string): string | undefined {
  const numbers = /^(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number);
  const supported = numbers && compare(numbers, SUPPORTED.from) >= 0 &&
    compare(numbers, SUPPORTED.below) < 0;
  return supported
    ? undefined
    : `This is Firecracker ${version}; Paddock works with ${SUPPORTED_RANGE}.`;
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < b.length; index++) {
    if (a[index] !== b[index]) return a[index] - b[index];
  }
  return 0;
}
