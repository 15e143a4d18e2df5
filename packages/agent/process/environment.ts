/** The variables of commands to come: what clients read and set. */
export class Environment {
  readonly #variables: Map<string, string>;

  constructor(initial: Record<string, string>) {
    this.#variables = new Map(Object.entries(initial));
  }

  /** Drops what there was. */
  replace(variables: Record<string, string>): void {
    this.#variables.clear();
    for (const [key, value] of Object.entries(variables)) this.#variables.set(key, value);
  }

  get(key: string): string | undefined {
    return this.#variables.get(key);
  }

  set(key: string, value: string): void {
    if (key === "" || key.includes("=") || key.includes("\0")) {
      throw new TypeError(`Invalid name of an environment variable: ${JSON.stringify(key)}`);
    }
    if (value.includes("\0")) {
      throw new TypeError(`The value of ${key} must not contain NUL`);
    }
    this.#variables.set(key, value);
  }

  delete(key: string): void {
    this.#variables.delete(key);
  }

  toObject(): Record<string, string> {
    return Object.fromEntries(this.#variables);
  }

  /** What a command gets: these variables, unless it wants none of them, and its own. */
  forCommand(own: Record<string, string> = {}, clear = false): Record<string, string> {
    return clear ? { ...own } : { ...this.toObject(), ...own };
  }
}
