/** What stands beside a data file: where it came from, what was left out, and hashes. */
import { saveFile } from "#files";

/** `samples.csv` has `samples.manifest.json`. */
export const manifestPath = (csv: string): string => `${csv.replace(/\.csv$/i, "")}.manifest.json`;

export const saveManifest = (path: string, manifest: object): Promise<void> =>
  saveFile(path, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
