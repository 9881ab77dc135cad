import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openGpu } from "#gpu";
import { mebibytes } from "../kernels/arena.ts";
import type { Gpu } from "../kernels/gpu.ts";
import { loadModel } from "../models/load.ts";
import { packageRoot } from "../version.ts";
import type { Command } from "./command.ts";

export const command: Command = {
  positionals: [],
  options: {},
  notes: ["Opens the adapter, runs the miniature BLIP on a stored picture and question, compares with stored numbers."],
  async run(args) {
    const gpu = await openGpu();
    try {
      const test = await selfTest(gpu);
      if (args.flag("json")) console.log(JSON.stringify({ adapter: gpu.info, test }));
      else for (const line of [...adapterLines(gpu), ...testLines(test)]) console.log(line);
      return test.ok ? 0 : 1;
    } finally {
      gpu.close();
    }
  },
};

const why = {
  hardware: "a GPU driver was found",
  software: "no GPU, but the system has a software Vulkan driver",
  swiftshader: "neither a GPU nor a Vulkan driver was used: SwiftShader out of @sparticuz/chromium",
  none: "",
};

const tiers = {
  A: "A (products of float16 on matrix units: not exact)",
  B: "B (tiles in workgroup memory)",
  D: "D (one subgroup a workgroup, weights in textures: for software adapters)",
};

function adapterLines({ info, tuning }: Gpu): string[] {
  const lines = [
    `adapter     ${info.name}`,
    `why         ${why[info.kind]}${process.env.NOTICE_ADAPTER ? ` (NOTICE_ADAPTER=${process.env.NOTICE_ADAPTER})` : ""}`,
    `kernels     tier ${tiers[info.tier]}`,
    `tiles       ${tuning.store ? "measured once for each model's shapes, then kept" : "from a fixed table (NOTICE_TUNE=on measures them)"}`,
    `subgroups   ${info.subgroupSize}`,
    `features    ${info.features.join(", ") || "none"}`,
    `binding     at most ${mebibytes(info.maxBindingBytes)}`,
    `memory      at most ${mebibytes(info.memoryBytes)} (NOTICE_MEMORY)`,
    `float16     ${info.halfFlushes ? "subnormal numbers are flushed: weights are opened bit by bit" : "opened exactly"}`,
  ];
  if (info.kind !== "hardware")
    lines.push(
      "faster      install a GPU driver with Vulkan; or Mesa's lavapipe 24 or newer, 3 to 5 times SwiftShader",
    );
  return lines;
}

interface SelfTest {
  ok: boolean;
  answer: string;
  expected: string;
  error: number;
  bound: number;
  seconds: number;
}

/** The stored case's logits must be within the claimed bound of the float64 truth (README: How we know it is right). */
async function selfTest(gpu: Gpu): Promise<SelfTest> {
  const root = packageRoot();
  const stored = JSON.parse(readFileSync(join(root, "weights", "miniature", "self-test.json"), "utf8")) as {
    image: string;
    text: string;
    answer: string;
    float32_max_error: number;
    float32_rms_error: number;
    logits: number[];
  };
  const started = performance.now();
  const model = await loadModel(gpu, "blip-mini");
  try {
    const input = await model.input({ image: join(root, "data", "miniature", stored.image), text: stored.text });
    const { logits } = await model.run(input);
    const { text } = await model.generate(input);
    const error = Math.max(...stored.logits.map((logit, i) => Math.abs(logit - logits[i]!)));
    const largest = Math.max(...stored.logits.map(Math.abs));
    const bound = 2 * Math.max(stored.float32_max_error, 5 * stored.float32_rms_error, 2 ** -20 * largest);
    const seconds = (performance.now() - started) / 1000;
    return {
      ok: error <= bound && text === stored.answer,
      answer: text,
      expected: stored.answer,
      error,
      bound,
      seconds,
    };
  } finally {
    model.close();
  }
}

const testLines = ({ ok, answer, expected, error, bound, seconds }: SelfTest): string[] => [
  `self-test   ${ok ? "passed" : "FAILED"} in ${seconds.toFixed(1)} s: answer "${answer}" (expected "${expected}"), largest error of a logit ` +
    `${error.toExponential(1)} (claim ${bound.toExponential(1)})`,
  ...(ok
    ? []
    : [
        "next        the numbers of this adapter are not to be trusted; try NOTICE_ADAPTER=swiftshader, and report the adapter's name",
      ]),
];
