/** Changes when a layer is added or replaced: layers are directories that appear whole, by rename. */
export async function layersState(directory: string): Promise<string> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(directory)) {
    if (name.startsWith(".")) continue;
    const { ino } = await Deno.stat(`${directory}/${name}`);
    found.push(`${name}:${ino}`);
  }
  return found.sort().join(",");
}
