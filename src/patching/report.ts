/** report.html, figures/ and overlays/: what a run found, for people. */
import { overlaysNpz } from "./overlay-npz.ts";
import type { Overlays } from "./overlay-store.ts";
import type { RunRecord, RunSettings } from "./record.ts";
import { checksSection, settingsSection } from "./report/about.ts";
import { addFacts, noFacts } from "./report/facts.ts";
import { figures, pngOf } from "./report/figures.ts";
import { headTally } from "./report/heads.ts";
import { lensSection, lensTally } from "./report/lens.ts";
import { overlaySection } from "./report/overlay.ts";
import { overlayFigures } from "./report/overlay-figure.ts";
import { mapsSection, page } from "./report/page.ts";
import { failuresSection, type Shown, samplesSection } from "./report/samples.ts";
import { strongestSection, summarySection } from "./report/summary.ts";
import { tally } from "./report/tally.ts";
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
  const facts = noFacts();
  const means = tally(settings);
  const heads = headTally();
  const lens = lensTally();
  const samples: Shown[] = [];
  return {
    add(record) {
      addFacts(facts, record);
      if ("failed" in record) return;
      means.add(record);
      heads.add(record);
      lens.add(record);
      const { tables: _, checks: _checks, tokens: _tokens, ...shown } = record;
      samples.push(shown);
    },
    async files(pictures, overlays = null) {
      const tables = means.tables();
      const html = page(`Activation patching of ${settings.model.name}`, subtitle(settings), [
        summarySection(settings, facts, heads),
        mapsSection(tables),
        strongestSection(settings, heads),
        await overlaySection(overlays),
        lensSection(lens),
        await samplesSection(samples, pictures),
        failuresSection(facts),
        checksSection(facts),
        settingsSection(settings),
      ]);
      const files: ReportFile[] = [{ name: "report.html", bytes: html }];
      for (const { name, svg } of figures(tables)) {
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

const subtitle = ({ tasks, kinds, direction, compat }: RunSettings): string =>
  `${tasks.join(", ")}: ${kinds.join(", ")}, ${direction}, ${compat}`;
