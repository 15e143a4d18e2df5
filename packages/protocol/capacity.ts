const UNITS: Record<string, number> = {
  GiB: 1024 ** 3,
  MiB: 1024 ** 2,
  KiB: 1024,
  GB: 1000 ** 3,
  MB: 1000 ** 2,
  kB: 1000,
};

const EXAMPLES = '"10GB", "10GiB" or a number of bytes';

/** Bytes of a capacity such as `"10GB"`, `"1.5GiB"` or a number. Throws a TypeError that says why not. */
export function parseCapacity(value: number | string): number {
  if (typeof value === "number") {
    if (Number.isSafeInteger(value) && value > 0) return value;
    throw new TypeError(`${value} is no capacity; expected ${EXAMPLES}`);
  }
  const match = /^(\d{1,15}(?:\.\d{1,9})?)([A-Za-z]{1,8})$/.exec(value);
  const unit = match && Object.hasOwn(UNITS, match[2]) ? UNITS[match[2]] : undefined;
  const bytes = match && unit ? Math.floor(Number(match[1]) * unit) : 0;
  if (bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
  if (match && unit === undefined) {
    throw new TypeError(`the unit ${match[2]} is unknown; units: ${Object.keys(UNITS).join(", ")}`);
  }
  throw new TypeError(`"${value.slice(0, 32)}" is no capacity; expected ${EXAMPLES}`);
}
