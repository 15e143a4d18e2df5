/** A reason why setup cannot go on that its user can act on. */
export class SetupError extends Error {
  name = "SetupError";
}
