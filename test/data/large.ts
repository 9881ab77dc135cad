/** One step with many rows, in a process of its own: prints the rows, the seconds of processor time and the most memory. */
import { dataDefects, prepareDefects, selectDefects } from "../../src/data/defects.ts";
import { prepare } from "../../src/data/prepare.ts";
import { select } from "../../src/data/select.ts";

const [step, data, out] = [process.argv[2]!, process.argv[3]!, process.argv[4]!];
const options = { task: "svo_probes", data, out, seed: 1, compat: "corrected" } as const;
const { rows } =
  step === "prepare"
    ? await prepare({ ...options, tokenizer: "blip-mini", defects: dataDefects(prepareDefects, "corrected", []) })
    : await select({ ...options, perGroup: 50_000, defects: dataDefects(selectDefects, "corrected", []) });
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ rows, seconds: (user + system) / 1e6, megabytes: process.resourceUsage().maxRSS / 1024 }));
