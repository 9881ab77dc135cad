/**
 * Writes src/kernels/shaders.gen.ts: every kernel in shaders/*.wgsl with its code, and its bindings, overrides and
 * parameters as types, so that a misspelt name does not compile. `// use lib/x.wgsl` pulls in shared functions;
 * a library in two forms (reduce.subgroup.wgsl, reduce.workgroup.wgsl) makes the kernel come in two forms, too, unless
 * it names one of them.
 *
 *     npm run shaders
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
export const generatedFile = fileURLToPath(new URL("../src/kernels/shaders.gen.ts", import.meta.url));

/** The text of the generated file. */
export function generated(): string {
  const kernels = readdirSync(here).filter((file) => file.endsWith(".wgsl"));
  const parts = kernels.sort().map((file) => kernel(file.slice(0, -".wgsl".length)));
  const head = [
    "// Made by shaders/embed.ts out of shaders/*.wgsl: change those, then `npm run shaders`.",
    'import type { Shader } from "./shader.ts";',
  ];
  return `${[...head, ...parts].join("\n\n")}\n`;
}

/** Libraries that come in two forms. */
const twofold: Readonly<Record<string, readonly string[]>> = {
  "lib/reduce": ["subgroup", "workgroup"],
  "lib/matrix": ["units", "emulated"],
};

function kernel(name: string): string {
  const text = read(`${name}.wgsl`);
  const library = Object.keys(twofold).find((one) => text.includes(`// use ${one}.wgsl`));
  const forms = library === undefined ? [null] : twofold[library]!;
  const code = Object.fromEntries(forms.map((form) => [form ?? "plain", directives(assemble(`${name}.wgsl`, form))]));
  const source = Object.values(code)[0]!;
  const bindings = [...source.matchAll(/@group\(0\) @binding\((\d+)\) var(?:<storage, (\w+)>)? (\w+): ([^;]+);/g)].map(
    ([, index, access, binding, type]) => ({
      index: Number(index),
      name: binding!,
      kind: kindOf(source, access, type!),
    }),
  );
  const overrides = [...source.matchAll(/^override (\w+): (\w+)( =[^;]+)?;/gm)];
  const params = source.match(/struct Params \{([^}]*)\}/)?.[1] ?? "";
  const fields = [...params.matchAll(/(\w+): (\w+),/g)].map(([, field, type]) => ({ name: field!, type: type! }));
  const types = overrides.map(
    ([, key, type, initial]) => `${key}${initial ? "?" : ""}: ${type === "bool" ? "boolean" : "number"}`,
  );
  return [
    `/** shaders/${name}.wgsl */`,
    `export const ${camel(name)}: Shader<${union(bindings)}, { ${types.join("; ")} }, ${union(fields)}> = {`,
    `  name: ${JSON.stringify(name)},`,
    `  bindings: ${JSON.stringify(bindings.sort((a, b) => a.index - b.index).map(({ name, kind }) => ({ name, kind })))},`,
    `  params: ${JSON.stringify(fields)},`,
    `  code: {`,
    ...Object.entries(code).map(([form, text]) => `    ${form}: ${quote(text)},`),
    "  },",
    "};",
  ].join("\n");
}

/** The file with the libraries it uses, each once. */
function assemble(file: string, form: string | null, seen = new Set<string>()): string {
  const text = read(file);
  const libraries = [...text.matchAll(/^\/\/ use (lib\/[\w.-]+)\.wgsl$/gm)].map((match) => match[1]!);
  const code = libraries
    .map((library) => (library in twofold ? `${library}.${form}.wgsl` : `${library}.wgsl`))
    .filter((library) => !seen.has(library) && seen.add(library))
    .map((library) => assemble(library, form, seen));
  return [text.trim(), ...code].join("\n\n");
}

/** Directives must stand first, wherever the code that needs them comes from. */
function directives(code: string): string {
  const matrices = code.includes("subgroup_matrix")
    ? "enable f16;\nenable chromium_experimental_subgroup_matrix;\n"
    : "";
  const subgroups = /\b(subgroup|quad)[A-Z]\w*\(|subgroup_id/.test(code) ? "enable subgroups;\n" : "";
  const requires = code.includes("var<immediate>") ? "requires immediate_address_space;\n" : "";
  return `${subgroups}${matrices}${requires}${code}`;
}

const textures: Readonly<Record<string, string>> = {
  "texture_2d<u32>": "texture",
  "texture_storage_2d<rgba32uint, read>": "texture-read",
  "texture_storage_2d<rgba32uint, write>": "texture-write",
};

function kindOf(source: string, access: string | undefined, type: string): string {
  if (access) return access;
  const meant = source.match(new RegExp(`^alias ${type} = ([^;]+);`, "m"))?.[1] ?? type;
  const kind = textures[meant];
  if (kind) return kind;
  throw new Error(`embed: a binding of type ${meant} is unknown; expected a storage buffer or a u32 texture`);
}

const read = (file: string) => readFileSync(here + file, "utf8").replaceAll("\r\n", "\n");
const camel = (name: string) => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
const union = (items: { name: string }[]) => items.map(({ name }) => JSON.stringify(name)).join(" | ") || "never";
const quote = (text: string) =>
  `\`${text.replaceAll("\\", "\\\\").replaceAll("`", "\\`").replaceAll("${", "\\${")}\n\``;

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(generatedFile, generated());
