/** An IPv4 range: the lowest address as a number, and how many leading bits are fixed. */
export interface Ipv4Range {
  base: number;
  prefix: number;
}

export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  const parts = match.slice(1).map(Number);
  if (parts.some((part) => part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

/** `10.0.0.0/8`, or an address alone. Undefined for anything else, set host bits included. */
export function parseIpv4Range(text: string): Ipv4Range | undefined {
  const [address, prefixText, ...rest] = text.split("/");
  const base = parseIpv4(address);
  const prefix = prefixText === undefined ? 32 : /^\d{1,2}$/.test(prefixText) ? +prefixText : 33;
  if (base === undefined || prefix > 32 || rest.length > 0) return undefined;
  return base % rangeSize(prefix) === 0 ? { base, prefix } : undefined;
}

export function formatIpv4Range(range: Ipv4Range): string {
  return `${formatIpv4(range.base)}/${range.prefix}`;
}

export function rangeSize(prefix: number): number {
  return 2 ** (32 - prefix);
}

export function rangesOverlap(a: Ipv4Range, b: Ipv4Range): boolean {
  return a.base < b.base + rangeSize(b.prefix) && b.base < a.base + rangeSize(a.prefix);
}

export function rangeHolds(range: Ipv4Range, address: number): boolean {
  return address >= range.base && address < range.base + rangeSize(range.prefix);
}
