/** As in /etc/machine-id: 32 hexadecimal digits. */
export function newMachineId(): string {
  return crypto.getRandomValues(new Uint8Array(16)).toHex();
}
