/** Finds where NaN or infinity first appears. Slow: every site is read back. */
import { size } from "../kernels/tensor.ts";
import { captureTap } from "../models/capture.ts";
import type { Input, Model } from "../models/model.ts";
import type { Tap } from "../models/scope.ts";

/** The first site, in the order of the forward, that holds NaN or +∞ (-∞ is what masked scores hold), or the logits. */
export async function firstBrokenSite(model: Model, input: Input, tap: Tap): Promise<string> {
  for (const site of model.sites.filter(({ name }) => !name.endsWith(".result"))) {
    const capture = captureTap(model.gpu, model.sites, [site]);
    const both: Tap = {
      watches: (name) => capture.watches(name) || tap.watches(name),
      site: (name, activation) => capture.site(name, tap.site(name, activation)),
    };
    model.gpu.release(model.forward(input, both));
    try {
      const { data, shape } = (await capture.read()).get(site.name)!;
      const masked = site.name.endsWith(".scores");
      const broken = data.findIndex(
        (value) => !Number.isFinite(value) && !(masked && value === Number.NEGATIVE_INFINITY),
      );
      if (broken !== -1) return `${site.name}, element ${broken % size(shape.slice(1))} (${data[broken]})`;
    } finally {
      capture.release();
    }
  }
  return "the logits alone";
}
