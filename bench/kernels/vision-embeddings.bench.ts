import { visionEmbeddings } from "../../src/kernels/vision-embeddings.ts";
import { check, measure, openBench, pattern, patternAt } from "./device.ts";

const gpu = await openBench("vision-embeddings");
const patches = pattern(gpu, "patches", [1, 576, 768]);
const first = pattern(gpu, "class_embedding", [768]);
const position = pattern(gpu, "position", [577, 768]);

await check(gpu, () => visionEmbeddings(gpu, "y", patches, first, position), 768, patternAt(0) + patternAt(768));
await measure(gpu, [
  { name: "577 x 768", work: () => visionEmbeddings(gpu, "y", patches, first, position), bytes: 3 * 577 * 768 * 4 },
]);
