/** Wrong input or wrong use: the message says who, what was got, what was expected and what to do. Shown without a stack trace. */
export class UserError extends Error {
  override name = "UserError";
}
