/** What an agent demands of whoever connects to it; only the engine knows it. */
export function newAgentToken(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toHex();
}
