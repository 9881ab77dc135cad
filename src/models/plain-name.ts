/**
 * What keeps a name from being that of a file inside a folder, by POSIX and by Windows rules alike; undefined if nothing.
 * The name is judged, not what it points to: files of the Hugging Face cache are links that lead out of their folder.
 */
export function escapeIn(name: string): string | undefined {
  if (name === "") return "is empty";
  if (name.includes("\0")) return "has a NUL character";
  if (name.includes("\\")) return "has a backslash";
  if (name.includes(":")) return "has a colon, as a drive or a stream of Windows has";
  if (/%(?:2e|2f|5c|00)/i.test(name)) return "has a percent-encoded dot or slash, which a URL would open";
  for (const part of name.split("/")) {
    if (part === "") return name.startsWith("/") ? "is an absolute path" : "has an empty part";
    if (/[. ]$/.test(part)) return "has a part that ends in a dot or a space, which Windows drops";
    if (/^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i.test(part)) return `has the part "${part}", a device of Windows`;
  }
  return undefined;
}
