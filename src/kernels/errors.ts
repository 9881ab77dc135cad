import { UserError } from "../models/errors.ts";
import type { Tensor } from "./tensor.ts";

/** The device failed or went away; nothing computed since the last successful read is to be trusted. */
export class DeviceError extends Error {
  override name = "DeviceError";
}

/** No adapter, or one that cannot do what is needed. */
export class AdapterError extends UserError {
  override name = "AdapterError";
}

/** The next allocation would not fit. */
export class MemoryError extends UserError {
  override name = "MemoryError";
}

/** A tensor has another shape than its kernel needs. */
export class ShapeError extends Error {
  override name = "ShapeError";
  constructor(kernel: string, tensor: Tensor, expected: readonly (number | string)[]) {
    super(`${kernel}: ${tensor.label} has shape [${tensor.shape.join(", ")}], expected [${expected.join(", ")}]`);
  }
}
