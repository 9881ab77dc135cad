/** Fields of config.json; a wrong one fails by name. */
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
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
  throw new UserError(
    `llava ${path(where, field)}: got ${shown(value)}, expected a whole number; write it into config.json`,
  );
}

export function positive(where: string, from: Json, field: string): number {
  const value = from[field];
  if (typeof value === "number" && value > 0) return value;
  throw new UserError(
    `llava ${path(where, field)}: got ${shown(value)}, expected a positive number; write it into config.json`,
  );
}

export const path = (where: string, field: string) => [where, field].filter((part) => part !== "").join(".");
export const shown = (value: unknown) => JSON.stringify(value) ?? "nothing";
