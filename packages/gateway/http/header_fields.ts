/** One field of a head: the name as it was written and in lower case, for comparisons. */
export interface HeaderField {
  name: string;
  key: string;
  value: string;
}

export type Headers = HeaderField[];

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** The fields in lines of a head or trailer; undefined when any of them is malformed. */
export function parseFields(lines: string[], from: number): Headers | undefined {
  const fields: Headers = [];
  for (let i = from; i < lines.length; i++) {
    const line = lines[i];
    const colon = line.indexOf(":");
    // A line that begins with a space, or has one before the colon, means different things to
    // different servers: that is how requests are smuggled.
    if (colon < 1) return undefined;
    const name = line.slice(0, colon);
    const value = trimmed(line, colon + 1);
    if (!isName(name) || !isValue(value)) return undefined;
    fields.push({ name, key: lowerCase(name), value });
  }
  return fields;
}

export function isName(name: string): boolean {
  return NAME.test(name);
}

export function isValue(value: string): boolean {
  return !BAD_VALUE.test(value);
}

/** The only value of a field, undefined when there is none, null when there are several. */
export function single(headers: Headers, key: string): string | undefined | null {
  let found: string | undefined;
  for (const field of headers) {
    if (field.key !== key) continue;
    if (found !== undefined) return null;
    found = field.value;
  }
  return found;
}

/** The elements of a list field, over all its lines, in lower case. */
export function listOf(headers: Headers, key: string): string[] {
  const elements: string[] = [];
  for (const field of headers) {
    if (field.key !== key) continue;
    for (const element of field.value.split(",")) {
      const text = element.trim();
      if (text !== "") elements.push(text.toLowerCase());
    }
  }
  return elements;
}

export function field(name: string, value: string): HeaderField {
  return { name, key: lowerCase(name), value };
}

export function writeFields(headers: Headers): string {
  let text = "";
  for (const { name, value } of headers) text += `${name}: ${value}\r\n`;
  return text;
}

const MAX_KNOWN_NAMES = 1_000;
const knownNames = new Map<string, string>();

function lowerCase(name: string): string {
  let lower = knownNames.get(name);
  if (lower === undefined) {
    lower = name.toLowerCase();
    if (knownNames.size < MAX_KNOWN_NAMES && name.length < 64) knownNames.set(name, lower);
  }
  return lower;
}

/** Without the optional white space around a value. */
function trimmed(line: string, from: number): string {
  let start = from;
  let end = line.length;
  while (start < end && isBlank(line.charCodeAt(start))) start++;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end--;
  return line.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
