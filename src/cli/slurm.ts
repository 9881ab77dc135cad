import { basename, resolve } from "node:path";
import { tasks } from "../data/sample.ts";
import { readDataFile } from "../data/samples.ts";
import { UserError } from "../models/errors.ts";
import { type Arguments, type Command, type Option, oneOf, wholeNumber } from "./command.ts";
import { command as sweep } from "./sweep.ts";

const {
  out,
  shard: _,
  "dry-run": __,
  overlays,
  ...passedOn
} = sweep.options as Record<"out" | "shard" | "dry-run" | "overlays", Option>;

export const command: Command = {
  positionals: ["MODEL"],
  options: {
    jobs: { value: "N", help: "how many shards", required: true },
    partition: { value: "P", help: "where they run (default: the cluster's own)" },
    time: { value: "T", help: "limit of a job, after which it is queued anew and goes on (4:00:00)" },
    gpus: { value: "N", help: "of a job (1)" },
    ...passedOn,
    overlays: overlays!,
    out: { ...out!, help: "the run's folder, with the shards' below it", required: true },
  },
  notes: [
    "Prints a script: `notice slurm MODEL … > job.sh`, then `bash job.sh` submits an array of shards and, for when they are",
    "done, their merge. Needs Slurm only there. The other options are those of `notice sweep`.",
  ],
  async run(args) {
    const jobs = wholeNumber(args, "jobs", 1)!;
    const script = jobScript(args, jobs);
    await readDataFile(args.value("data")!, oneOf(args, "task", tasks)); // what is wrong with it is told before the queue
    if (args.flag("json")) console.log(JSON.stringify({ script }));
    else process.stdout.write(script);
    return 0;
  },
};

function jobScript(args: Arguments, jobs: number): string {
  const sweepWords = [...args.positionals, ...Object.keys(passedOn).flatMap((name) => given(args, name))];
  const { jobOptions, mergeOptions } = slurmOptions(args, jobs);
  const drawn = given(args, "overlays");
  return `#!/usr/bin/env bash
# A sweep in shards on Slurm, and their merge.
#
#   bash job.sh         submits both; after a failure again: it goes on where it stopped
#   bash job.sh merge   merges here and now
set -euo pipefail
script=$(readlink -f -- "\${BASH_SOURCE[0]}")
cd -- ${quoted(process.cwd())}

notice=(${words([process.execPath, ...process.execArgv, resolve(process.argv[1]!)])})
sweep=(${words(sweepWords)})
run=${quoted(args.value("out")!)}

case "\${1:-submit}" in
  submit)
    mkdir -p -- "$run/logs"
    array=$(sbatch --parsable ${words(jobOptions)} --output="$run/logs/shard-%a.txt" "$script" shard)
    merge=$(sbatch --parsable ${words(mergeOptions)} --dependency="afterok:\${array%%;*}" --output="$run/logs/merge.txt" "$script" merge)
    echo "shards: job $array; merge: job $merge; logs: $run/logs"
    ;;
  shard)
    again=no
    child=
    trap 'again=yes; kill -TERM "$child"' USR1 # the limit of time is near
    trap 'kill -TERM "$child"' TERM
    "\${notice[@]}" sweep "\${sweep[@]}" --shard slurm --out "$run/shard-$SLURM_ARRAY_TASK_ID" &
    child=$!
    while kill -0 "$child" 2>/dev/null; do wait "$child" || true; done
    code=0
    wait "$child" || code=$?
    if [[ $again = yes && $code -eq 130 ]]; then
      scontrol requeue "\${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
    fi
    # 1 is that samples failed: they are recorded, and the merge counts them.
    if ((code > 1)); then exit "$code"; fi
    ;;
  merge)
    "\${notice[@]}" merge "$run"/shard-{0..${jobs - 1}} --out "$run"${drawn.length > 0 ? ` || (($? == 1))\n    "\${notice[@]}" sweep "\${sweep[@]}" ${words(drawn)} --out "$run"` : ""}
    ;;
  *)
    echo "$script: got \\"$1\\", expected submit, shard or merge" >&2
    exit 2
    ;;
esac
`;
}

function slurmOptions(args: Arguments, jobs: number): { jobOptions: string[]; mergeOptions: string[] } {
  const time = matching(args, "time", /^(\d+-)?\d+(:\d\d){0,2}$/, "hours as 4:00:00 or days as 2-00:00") ?? "4:00:00";
  const partition = matching(args, "partition", /^[\w.,-]+$/, "a partition's name, or several with commas");
  const gpus = wholeNumber(args, "gpus") ?? 1;
  const name = basename(resolve(args.value("out")!));
  const common = [`--time=${time}`, ...(partition === undefined ? [] : [`--partition=${partition}`])];
  const device = gpus > 0 ? [`--gpus=${gpus}`] : [];
  const array = [`--array=0-${jobs - 1}`, "--requeue", "--open-mode=append", "--signal=B:USR1@120"];
  const mergeDevice = args.value("overlays") === undefined ? [] : device;
  return {
    jobOptions: [`--job-name=${name}`, ...array, ...common, ...device],
    mergeOptions: [`--job-name=${name}-merge`, ...common, ...mergeDevice],
  };
}

function matching(args: Arguments, name: string, pattern: RegExp, expected: string): string | undefined {
  const text = args.value(name);
  if (text === undefined || pattern.test(text)) return text;
  throw new UserError(`--${name}: got "${text}", expected ${expected}`);
}

/** An option as it was given. */
function given(args: Arguments, name: string): string[] {
  const value = args.value(name);
  if (value === undefined) return [];
  return command.options[name]!.value === undefined ? [`--${name}`] : [`--${name}=${value}`];
}

const words = (all: readonly string[]): string => all.map(quoted).join(" ");

/** A word as bash reads it back. */
const quoted = (word: string): string => (/^[\w@%+=:./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
