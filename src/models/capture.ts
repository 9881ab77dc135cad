/** A tap that keeps what passes the named sites. */
import type { Gpu } from "../kernels/gpu.ts";
import { withRows } from "../kernels/rows.ts";
import type { Tensor } from "../kernels/tensor.ts";
import { rows } from "../kernels/tensor.ts";
import type { Activation, RunResult } from "./model.ts";
import { type Tap, untapped } from "./scope.ts";
import { matchSites, type Site, type SiteName, shownShape, shownValues, siteIndex } from "./sites.ts";

export interface CaptureTap extends Tap {
  /** The kept tensors by canonical site name, as stored on the device. */
  readonly kept: ReadonlyMap<string, Tensor>;
  /** Values under the names that were asked for. */
  read(): Promise<Map<string, Activation>>;
  release(): void;
}

/** One forward with what `capture` (names or patterns) matches. */
export async function captured(
  gpu: Gpu,
  sites: readonly Site[],
  forward: (tap: Tap) => Tensor,
  capture: readonly string[] = [],
): Promise<RunResult> {
  const names = matchSites(sites, capture);
  const tap = captureTap(gpu, sites, names);
  try {
    const logits = forward(names.length > 0 ? tap : untapped);
    const values = await gpu.read(logits).finally(() => gpu.release(logits));
    return { logits: values, activations: await tap.read() };
  } finally {
    tap.release();
  }
}

/** Captures change nothing: copies are kept, the activations go on as they are. */
export function captureTap(gpu: Gpu, sites: readonly Site[], names: readonly SiteName[]): CaptureTap {
  const index = siteIndex(sites);
  const wanted = new Set(names.map(({ name }) => index.get(name)!.site.name));
  const kept = new Map<string, Tensor>();
  return {
    kept,
    watches: (name) => wanted.has(name),
    site(name, activation) {
      if (wanted.has(name)) kept.set(name, gpu.keep(withRows(gpu, name, activation, rows(activation))));
      return activation;
    },
    async read() {
      const values = new Map<string, Float32Array<ArrayBuffer>>();
      for (const [name, tensor] of kept) values.set(name, await gpu.read(tensor));
      return new Map(
        names.map(({ name, axes }) => {
          const { site } = index.get(name)!;
          const stored = kept.get(site.name)!.shape;
          const data = axes === site.axes ? shownValues(axes, stored, values.get(site.name)!) : values.get(site.name)!;
          return [name, { shape: shownShape(axes, stored), axes, data }];
        }),
      );
    },
    release() {
      gpu.release(...kept.values());
      kept.clear();
    },
  };
}
