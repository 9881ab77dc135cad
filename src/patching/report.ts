/** report.html, figures/ and overlays/: what a run found, for people; and one page of several runs. */
import { overlaysNpz } from "./overlay-npz.ts";
import type { Overlays } from "./overlay-store.ts";
import type { RunRecord, RunSettings } from "./record.ts";
import { checksSection, settingsSection } from "./report/about.ts";
import { figures, pngOf } from "./report/figures.ts";
import { lensSection } from "./report/lens.ts";
import { overlaySection } from "./report/overlay.ts";
import { overlayFigures } from "./report/overlay-figure.ts";
import { mapsSection, page } from "./report/page.ts";
import { gather, type Reported } from "./report/reported.ts";
import { failuresSection, samplesSection } from "./report/samples.ts";
import { strongestSection, summarySection } from "./report/summary.ts";
import type { Pictures } from "./store.ts";

export { type HeadMean, strongestHeads } from "./report/heads.ts";

export interface ReportFile {
  /** Below the run's folder, with `/`. */
  readonly name: string;
  readonly bytes: Uint8Array | string;
}

export interface ReportWriter {
  /** Takes one record; they come sorted by sample, task and mode. */
  add(record: RunRecord): void;
  /** report.html and the files of figures/; with overlays also these and their numbers. */
  files(pictures: Pictures, overlays?: Overlays | null): Promise<ReportFile[]>;
}

/** Gathers records into a report. The same records give the same bytes. */
export function reportWriter(settings: RunSettings): ReportWriter {
  const gathering = gather(settings);
  return {
    add: gathering.add,
    async files(pictures, overlays = null) {
      const run = gathering.reported(pictures, overlays);
      const files: ReportFile[] = [{ name: "report.html", bytes: await reportPage([run]) }];
      for (const { name, svg } of figures(run.tables)) {
        files.push(
          { name: `figures/${name}.svg`, bytes: svg },
          { name: `figures/${name}.png`, bytes: await pngOf(svg) },
        );
      }
      if (overlays) files.push({ name: "overlays.npz", bytes: overlaysNpz(overlays) });
      for (const { name, svg } of overlays ? overlayFigures(overlays) : [])
        files.push({ name: `overlays/${name}.png`, bytes: await pngOf(svg) });
      return files;
    },
  };
}

/** A run as it is, or several side by side. */
export async function reportPage(runs: readonly Reported[]): Promise<string> {
  const names = [...new Set(runs.map(({ settings }) => settings.model.name))];
  return page(`Activation patching of ${names.join(" and ")}`, runs.map((run) => subtitle(run, runs)).join("; "), [
    summarySection(runs),
    mapsSection(runs),
    strongestSection(runs),
    await overlaySection(runs),
    lensSection(runs),
    await samplesSection(runs),
    failuresSection(runs),
    checksSection(runs),
    settingsSection(runs),
  ]);
}

function subtitle({ name, settings }: Reported, { length }: readonly Reported[]): string {
  const { tasks, kinds, direction, compat } = settings;
  return `${length === 1 ? tasks.join(", ") : name}: ${kinds.join(", ")}, ${direction}, ${compat}`;
}
