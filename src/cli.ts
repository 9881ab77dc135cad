#!/usr/bin/env node
/** The command line: finds the command, reads its options, prints errors as one sentence. */
import { type Command, commandHelp, readArguments } from "./cli/command.ts";
import { UserError } from "./models/errors.ts";
import { nearest } from "./models/nearest.ts";

/** Summaries stand here so that `--help` loads nothing else. */
const commands: Readonly<Record<string, { summary: string; load: () => Promise<{ command: Command }> }>> = {
  demo: { summary: "sweep the miniature model and open its report", load: () => import("./cli/demo.ts") },
  run: { summary: "answer a question about a picture", load: () => import("./cli/run.ts") },
  sites: { summary: "list the activations of a model by name", load: () => import("./cli/sites.ts") },
  capture: { summary: "save activations to a safetensors file", load: () => import("./cli/capture.ts") },
  patch: { summary: "apply the cells of a plan", load: () => import("./cli/patch.ts") },
  sweep: { summary: "patch every token, layer (and head) of a task's samples", load: () => import("./cli/sweep.ts") },
  "dataset prepare": {
    summary: "make a data file out of an original's folders",
    load: async () => ({ command: (await import("./cli/dataset.ts")).prepare }),
  },
  "dataset evaluate": {
    summary: "answer the question of each row",
    load: async () => ({ command: (await import("./cli/dataset.ts")).evaluate }),
  },
  "dataset select": {
    summary: "choose the samples of a study among the answered rows",
    load: async () => ({ command: (await import("./cli/dataset.ts")).select }),
  },
  study: { summary: "from an original's folders to circuits, in one command", load: () => import("./cli/study.ts") },
  merge: { summary: "join the shards of a sweep", load: () => import("./cli/merge.ts") },
  slurm: { summary: "print a script that sweeps in shards on Slurm", load: () => import("./cli/slurm.ts") },
  circuits: { summary: "name the heads that carry the answers of runs", load: () => import("./cli/circuits.ts") },
  import: {
    summary: "read a result file of the original (.pkl), running nothing in it",
    load: () => import("./cli/import.ts"),
  },
  report: { summary: "write a run's tables, figures and report anew", load: () => import("./cli/report.ts") },
  download: { summary: "fetch a model from the Hugging Face Hub", load: () => import("./cli/download.ts") },
  doctor: { summary: "say which adapter is used, and test it", load: () => import("./cli/doctor.ts") },
};

function help(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(17)}${summary}`);
  return [
    "notice: activation patching for vision-language models on WebGPU",
    "",
    "usage: notice COMMAND [options]      notice COMMAND --help",
    "",
    ...lines,
    "",
    "MODEL is a folder in Hugging Face's layout, a name of the Hugging Face Hub, or blip-mini.",
    "NOTICE_ADAPTER=hardware|software|swiftshader chooses the adapter. Exit code: 0 done, 1 failed samples,",
    "2 wrong use or no adapter, 130 interrupted.",
  ].join("\n");
}

/** `dataset prepare` is one name. */
function readName([first, second, ...rest]: string[]): string[] {
  const joined = `${first} ${second}`;
  if (groupOf(first).length > 0 && second !== undefined && !second.startsWith("-")) return [joined, ...rest];
  return [first, second, ...rest].filter((word) => word !== undefined);
}

const groupOf = (name: string | undefined) => Object.keys(commands).filter((other) => other.startsWith(`${name} `));

async function main(argv: string[]): Promise<number> {
  const [name, ...rest] = readName(argv);
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    console.log(help());
    return name === undefined ? 2 : 0;
  }
  if (name === "--version") {
    console.log((await import("./version.ts")).version());
    return 0;
  }
  const group = groupOf(name);
  if (group.length > 0) {
    console.log(group.map((other) => `notice ${other.padEnd(17)}${commands[other]!.summary}`).join("\n"));
    return rest.length > 0 ? 0 : 2;
  }
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!entry) {
    throw new UserError(
      `unknown command "${name}"; nearest: ${nearest(name, Object.keys(commands), 1)[0]}; \`notice --help\` lists all`,
    );
  }
  const { command } = await entry.load();
  if (rest.includes("--help") || rest.includes("-h")) {
    console.log(commandHelp(name, entry.summary, command));
    return 0;
  }
  const interrupt = new AbortController();
  process.once("SIGINT", () => interrupt.abort()); // the second one ends the process
  process.on("SIGTERM", () => interrupt.abort()); // comes twice where a scheduler tells the shell and its children
  try {
    return await command.run(readArguments(name, command, rest), interrupt.signal);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    console.error("notice: interrupted; the same command goes on from here");
    return 130;
  }
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    const wrongUse = error instanceof UserError;
    console.error(`notice: ${error instanceof Error ? error.message : String(error)}`);
    if (!wrongUse && process.env.NOTICE_DEBUG) console.error(error);
    process.exit(wrongUse ? 2 : 1);
  },
);
