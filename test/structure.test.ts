/** What the tree promises: a kernel is four files, generated code is fresh, imports point one way. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";
import { generated, generatedFile } from "../shaders/embed.ts";

/** Kernels that share the host half of another: variants for a tier, and the layout that one of them reads. */
const hostHalf = (kernel: string) =>
  kernel === "weight-texture" ? "matmul" : kernel.replace(/-(strips|panel|matrix|few)(-half|-nf4)?$/, "");

const shaders = readdirSync("shaders").filter((file) => file.endsWith(".wgsl"));

describe.each(shaders.map((file) => file.replace(".wgsl", "")))("shaders/%s.wgsl", (kernel) => {
  const name = hostHalf(kernel);
  test.for([`src/kernels/${name}.ts`, `test/kernels/${name}.test.ts`, `bench/kernels/${name}.bench.ts`])(
    "has %s",
    (file) => {
      expect(existsSync(file)).toBe(true);
    },
  );
});

test("src/kernels/shaders.gen.ts is fresh; else `npm run shaders`", () => {
  expect(readFileSync(generatedFile, "utf8") === generated()).toBe(true);
});

const sources = readdirSync("src", { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.endsWith(".ts"));

const platform: Record<string, string> = JSON.parse(readFileSync("package.json", "utf8")).imports;

/** The files of src that a file imports, or only those that it needs when it runs. */
function imports(file: string, types = true): string[] {
  const code = readFileSync(join("src", file), "utf8");
  return [...code.matchAll(/^(?:import|export)\b( type\b)?[^;"]*?["']([^"']+)["'];|import\(["']([^"']+)["']\)/gms)]
    .filter(([, type]) => types || !type)
    .map(([, , from, dynamic]) => (from ?? dynamic)!)
    .map((from) => platform[from]?.replace("./src/", "") ?? (from.startsWith(".") ? join(dirname(file), from) : ""))
    .map((from) => normalize(from).replaceAll("\\", "/"))
    .filter((from) => from.endsWith(".ts") && !from.startsWith(".."));
}

const graph = new Map(sources.map((file) => [file, imports(file)]));
const needed = new Map(sources.map((file) => [file, imports(file, false)]));

/** From the ground up; a file may import from its own layer and from those before. */
const layers = ["kernels/shaders.gen.ts", "kernels", "models", "data", "patching", "cli"];

/** They import nothing, so every layer may have them. */
const leaves = ["models/errors.ts", "kernels/shader.ts", "version.ts"];

function layerOf(file: string): number {
  if (file === "kernels/shaders.gen.ts") return 0;
  const [folder] = file.split("/");
  const layer = layers.indexOf(folder === "web" ? "cli" : folder!);
  return layer === -1 ? layers.length : layer; // src/*.ts: the entry points see all
}

test("imports point one way: cli, web -> patching -> data -> models -> kernels -> shaders.gen", () => {
  const upward = [...graph].flatMap(([file, targets]) =>
    targets
      .filter((target) => layerOf(target) > layerOf(file) && !leaves.includes(target))
      .map((target) => `src/${file} imports src/${target}`),
  );
  expect(upward).toEqual([]);
});

test("no circular imports, once the types are gone", () => {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: string[]) => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
    if (done.has(file) || path.includes(file)) return;
    for (const target of needed.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of sources) visit(file, []);
  expect(circles).toEqual([]);
});
