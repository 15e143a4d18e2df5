/**
 * Of the keyboard controller only the reset line is there, by which a guest ends its machine; looking
 * for the rest of it costs half a second. Firecracker adds what it needs itself.
 */
export const KERNEL_ARGUMENTS = [
  ...["console=ttyS0", "8250.nr_uarts=1"],
  ...["panic=-1", "reboot=k"],
  ...["i8042.noaux", "i8042.nomux", "i8042.nopnp", "i8042.dumbkbd"],
  ...["quiet", "loglevel=4"],
].join(" ");
