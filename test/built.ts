/** The command line as it ships, built once for all tests: a process of it starts three times as fast as from the sources. */
const folder = "node_modules/.notice-test";

export const cli = `${folder}/cli.js`;

export async function setup(): Promise<void> {
  const { build } = await import("tsdown");
  await build({ entry: ["src/cli.ts"], outDir: folder, dts: false, logLevel: "error" });
}
