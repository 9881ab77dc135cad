import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readmeWithSites } from "../docs/site-list.ts";

test("the README's list of sites is what the models declare (npx tsx docs/site-list.ts)", () => {
  expect(readFileSync("README.md", "utf8")).toBe(readmeWithSites());
});
