import { downloadModel } from "../models/hub-download.node.ts";
import { type DownloadProgress, shownBytes } from "../models/hub-progress.ts";
import type { Command } from "./command.ts";
import { progressPrinter } from "./progress.ts";

export const command: Command = {
  positionals: ["MODEL"],
  options: { revision: { value: "R", help: "a branch, a tag, a commit, or refs/pr/N (main)" } },
  notes: [
    "MODEL is ORG/NAME on the Hub. Prints the folder of its files, which every command takes as MODEL; of main the name",
    "does too. What was cut goes on. HF_HOME or HF_HUB_CACHE says where to, HF_TOKEN opens private and gated models.",
  ],
  async run(args, signal) {
    const download = await downloadModel(args.positionals[0]!, {
      revision: args.value("revision"),
      signal,
      onProgress: downloadPrinter(),
    });
    if (args.flag("json")) console.log(JSON.stringify({ model: args.positionals[0], ...download }));
    else console.log(download.folder);
    return 0;
  },
};

/** The size on stderr before the first byte, then how far it is. */
export function downloadPrinter(): (progress: DownloadProgress) => void {
  const printer = progressPrinter();
  let announced = false;
  let finished = false;
  return (progress) => {
    const { model, revision, loadedBytes, totalBytes } = progress;
    if (!announced) {
      const rest = loadedBytes > 0 ? `, ${shownBytes(loadedBytes)} of it there already` : "";
      console.error(`${model} at ${revision.slice(0, 8)}: downloads ${shownBytes(totalBytes)}${rest}`);
    } else if (!finished) {
      finished = loadedBytes === totalBytes;
      printer.show(downloadLine(progress), finished);
    }
    announced = true;
  };
}

function downloadLine({ loadedBytes, totalBytes, bytesPerSecond, secondsLeft }: DownloadProgress): string {
  const left = secondsLeft === undefined ? "" : `, ${Math.round(secondsLeft)} s left`;
  return `${shownBytes(loadedBytes)} of ${shownBytes(totalBytes)}, ${shownBytes(bytesPerSecond)}/s${left}`;
}
