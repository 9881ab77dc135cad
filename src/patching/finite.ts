/** Finds where NaN or infinity first appears. Slow: every site is read back. */
import { size } from "../kernels/tensor.ts";
import { captureTap } from "../models/capture.ts";
import type { Input, Model } from "../models/model.ts";
import type { Tap } from "../models/scope.ts";

/** Sites that one forward keeps; all at once would not fit large models. */
const GROUP = 24;

/** The first site, in the order of the forward, that holds NaN or +∞ (-∞ is what masked scores hold), or the logits. */
export async function firstBrokenSite(model: Model, input: Input, tap: Tap): Promise<string> {
  const sites = model.sites.filter(({ name }) => !name.endsWith(".result"));
  for (let first = 0; first < sites.length; first += GROUP) {
    const capture = captureTap(model.gpu, model.sites, sites.slice(first, first + GROUP));
    const both: Tap = {
      watches: (name) => capture.watches(name) || tap.watches(name),
      site: (name, activation) => capture.site(name, tap.site(name, activation)),
    };
    try {
      model.gpu.release(model.forward(input, both));
      for (const [name, { data, shape }] of await capture.read()) {
        const broken = data.findIndex((value) => isBroken(value, name.endsWith(".scores")));
        if (broken !== -1) return `${name}, element ${broken % size(shape.slice(1))} (${data[broken]})`;
      }
    } finally {
      capture.release();
    }
  }
  return "the logits alone";
}

const isBroken = (value: number, masked: boolean) =>
  !Number.isFinite(value) && !(masked && value === Number.NEGATIVE_INFINITY);
