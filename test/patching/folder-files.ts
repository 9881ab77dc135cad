/** All files below a folder, byte by byte. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect } from "vitest";

export function filesOf(folder: string): Map<string, Buffer> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map(({ parentPath, name }) => join(parentPath, name)).sort();
  return new Map(paths.map((path) => [relative(folder, path), readFileSync(path)]));
}

export function expectSameFiles(folder: string, expected: ReadonlyMap<string, Buffer>): void {
  const files = filesOf(folder);
  expect([...files.keys()]).toEqual([...expected.keys()]);
  for (const [name, bytes] of files) expect(bytes.equals(expected.get(name)!), name).toBe(true);
}
