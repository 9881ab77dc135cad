/** Why a checkpoint is not opened. */
import { UserError } from "./errors.ts";

/** Why a checkpoint is refused; down to MetadataIncompleteBuffer as the reference implementation of the format names it. */
export type CheckpointProblem =
  | "HeaderTooSmall"
  | "HeaderTooLarge"
  | "InvalidHeaderLength"
  | "InvalidHeader"
  | "InvalidHeaderDeserialization"
  | "InvalidOffset"
  | "ValidationOverflow"
  | "MisalignedSlice"
  | "TensorInvalidInfo"
  | "MetadataIncompleteBuffer"
  | "DuplicateName"
  | "NoSafetensors"
  | "InvalidIndex"
  | "ShardName"
  | "MissingShard"
  | "MissingTensor"
  | "UnlistedTensor";

/** A checkpoint that cannot be trusted. */
export class CheckpointError extends UserError {
  override name = "CheckpointError";
  readonly kind: CheckpointProblem;
  constructor(kind: CheckpointProblem, message: string) {
    super(message);
    this.kind = kind;
  }
}
