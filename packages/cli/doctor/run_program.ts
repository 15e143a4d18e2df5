/** Runs a program of the host for a look at its answer; absent programs are a result, no error. */
export async function runProgram(
  command: string,
  args: string[],
  signal: AbortSignal,
): Promise<{ found: boolean; success: boolean; output: string }> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, {
      args,
      stdin: "null",
      signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]),
    }).output();
    const decoder = new TextDecoder();
    return { found: true, success, output: decoder.decode(stdout) + decoder.decode(stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { found: false, success: false, output: "" };
    return { found: true, success: false, output: String(error) };
  }
}
