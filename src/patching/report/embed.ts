/**
 * Writes page.gen.ts: the page's script as one string, out of the modules it shares with this package.
 *
 *     npx tsx src/patching/report/embed.ts
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export const generatedFile = fileURLToPath(new URL("page.gen.ts", import.meta.url));

/** In the order in which they use one another. */
const modules = ["grid", "palette", "heat-map", "cell-tip", "explorer"];

export function generated(): string {
  const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, removeComments: true };
  const parts = modules.map((name) => {
    const source = readFileSync(new URL(`${name}.ts`, import.meta.url), "utf8");
    const script = ts.transpileModule(source, { compilerOptions: options }).outputText;
    return script
      .replace(/^import .*;\n/gm, "")
      .replace(/^export \{\};\n/gm, "")
      .replace(/^export /gm, "");
  });
  const script = `"use strict";(() => {\n${parts.join("")}})();`;
  return [
    `// Made by embed.ts out of ${modules.map((name) => `${name}.ts`).join(", ")}: change those, then \`npx tsx src/patching/report/embed.ts\`.`,
    `export const pageScript =\n${script
      .match(/[^\n]*\n|[^\n]+$/g)!
      .map((line) => `  ${JSON.stringify(line)}`)
      .join(" +\n")};`,
    "",
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(generatedFile, generated());
