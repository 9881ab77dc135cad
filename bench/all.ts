/** Runs the benches one after another, each in a process of its own: all, or those whose names contain an argument. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(here, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".bench.ts"))
  .filter((file) => wanted.length === 0 || wanted.some((name) => file.replaceAll("\\", "/").includes(name)))
  .sort();

if (files.length === 0) {
  console.error(`bench: no file has ${wanted.join(" or ")} in its name, see bench/`);
  process.exitCode = 1;
}
for (const file of files) {
  const { status } = spawnSync(process.execPath, ["--import", "tsx", here + file], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
