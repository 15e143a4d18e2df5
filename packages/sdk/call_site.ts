const ownFolder = import.meta.url.replace(/[^/]*$/, "");
const ownPath = ownFolder.replace(/^file:\/\//, "");

/**
 * An error of the sandbox carries the stack it has there. This adds who made the call here, without
 * this library's own frames.
 */
export function withCallSite<T>(promise: Promise<T>): Promise<T> {
  const site = new Error();
  return promise.catch((error) => {
    addFrames(error, site.stack);
    throw error;
  });
}

function addFrames(error: unknown, stack: string | undefined): void {
  if (!(error instanceof Error) || !stack || typeof error.stack !== "string") return;
  const frames = stack.split("\n").filter((line) =>
    /^\s+at /.test(line) && !line.includes(ownFolder) && !line.includes(ownPath)
  );
  if (frames.length === 0 || error.stack.includes(frames[0])) return;
  try {
    const text = `${error.stack}\n${frames.join("\n")}`;
    Object.defineProperty(error, "stack", { value: text, configurable: true, writable: true });
  } catch {
    // A frozen error keeps what it has.
  }
}
