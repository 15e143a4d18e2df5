/**
 * What a guest's kernel is told; Firecracker adds what it needs itself. Of the keyboard controller a machine
 * has the reset line, by which a guest ends it. The keyboard itself, for Ctrl+Alt+Del, takes a moment to look
 * for, and is found by its description (PNP) alone: nothing else says which interrupt it has.
 */
export function kernelArguments({ keyboard }: { keyboard: boolean }): string {
  return [
    ...["console=ttyS0", "8250.nr_uarts=1"],
    ...["panic=-1", "reboot=k"],
    ...["i8042.noaux", "i8042.nomux", "i8042.dumbkbd", ...(keyboard ? [] : ["i8042.nopnp"])],
    ...["quiet", "loglevel=4"],
  ].join(" ");
}
