/** Pictures inside the page. */
import type { Pictures } from "../store.ts";

const shownByBrowsers: readonly (readonly [type: string, head: string])[] = [
  ["image/jpeg", "ffd8ff"],
  ["image/png", "89504e47"],
];
const largestUnchanged = 24 * 1024;
const side = 224;

/** A picture as a data address: as it is when small, else reduced; null where it cannot be read. */
export async function thumbnail(pictures: Pictures, path: string): Promise<string | null> {
  const bytes = await pictures(path).catch(() => null);
  if (bytes === null) return null;
  const head = Buffer.from(bytes.subarray(0, 4)).toString("hex");
  const type = shownByBrowsers.find(([, start]) => head.startsWith(start))?.[0];
  if (type !== undefined && bytes.length <= largestUnchanged) return address(type, bytes);
  const { default: sharp } = await import("sharp");
  const reduced = sharp(bytes)
    .rotate()
    .resize(side, side, { fit: "inside", withoutEnlargement: true })
    .flatten({ background: "#ffffff" });
  return await reduced
    .jpeg({ quality: 82 })
    .toBuffer()
    .then((jpeg) => address("image/jpeg", jpeg))
    .catch(() => null);
}

const address = (type: string, bytes: Uint8Array): string =>
  `data:${type};base64,${Buffer.from(bytes).toString("base64")}`;
