/** Fields of config.json and its like; a wrong one fails by name. */
import { UserError } from "../errors.ts";

export type Json = Record<string, unknown>;

export function section(value: unknown, name: string): Json {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  throw new UserError(
    `${name}: got ${shown(value)}, expected an object; is this a LlavaForConditionalGeneration checkpoint?`,
  );
}

export function whole(where: string, from: Json, field: string): number {
  const value = from[field];
  if (isWhole(value)) return value;
  throw new UserError(
    `llava ${path(where, field)}: got ${shown(value)}, expected a whole number; write it into config.json`,
  );
}

/** One or more, from `file`. */
export function wholes(where: string, from: Json, field: string, file = "config.json"): readonly number[] {
  const values = [from[field]].flat();
  if (values.length > 0 && values.every(isWhole)) return values;
  throw new UserError(
    `llava ${path(where, field)}: got ${shown(from[field])}, expected a whole number or a list of some; write it into ${file}`,
  );
}

const isWhole = (value: unknown): value is number => typeof value === "number" && Number.isInteger(value) && value >= 0;

export function positive(where: string, from: Json, field: string): number {
  const value = from[field];
  if (typeof value === "number" && value > 0) return value;
  throw new UserError(
    `llava ${path(where, field)}: got ${shown(value)}, expected a positive number; write it into config.json`,
  );
}

export const path = (where: string, field: string) => [where, field].filter((part) => part !== "").join(".");
export const shown = (value: unknown) => JSON.stringify(value) ?? "nothing";
