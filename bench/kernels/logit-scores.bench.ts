import { logitScores } from "../../src/kernels/logit-scores.ts";
import { check, measure, openBench, pattern, patternAt } from "./device.ts";

const gpu = await openBench("logit-scores");
const [logits, clean] = [pattern(gpu, "logits", [16, 1, 30_524]), pattern(gpu, "clean", [1, 1, 30_524])];

const work = () => logitScores(gpu, logits, clean, [[2748, 2053]]);

await check(gpu, work, 0, patternAt(2748));
await check(gpu, work, 2, 3);
await measure(gpu, [{ name: "16 x 30524", work, bytes: 17 * 30_524 * 4 }]);
