/** Where the strongest heads look, over the picture as the model sees it. Switched without scripts. */
import { pngAddress } from "../overlay-png.ts";
import type { Overlays, SampleOverlay, TokenGrids } from "../overlay-store.ts";
import { inRows, nameBefore } from "./beside.ts";
import { escapeText } from "./heat-map.ts";
import { paragraph, section } from "./html.ts";
import { averageTitle } from "./overlay-figure.ts";
import { heat, heatMaps, minus } from "./overlay-heat.ts";
import { short } from "./palette.ts";
import type { Reported } from "./reported.ts";
import { thumbnail } from "./thumbnail.ts";

/** Side of a panel's picture in the page. */
const side = 128;

export async function overlaySection(runs: readonly Reported[]): Promise<string> {
  const cards: Map<string, string>[] = [];
  for (const run of runs) {
    const own = new Map<string, string>();
    for (const one of run.overlays?.overlays ?? [])
      own.set(`${one.sample} ${one.task}`, await sampleCard(run.overlays!, one, nameBefore(runs, run, "")));
    cards.push(own);
  }
  if (cards.every(({ size }) => size === 0)) return "";
  const heads = runs.flatMap((run) => (run.overlays ? [nameBefore(runs, run, headsOf(run.overlays))] : []));
  return section(
    "overlays",
    "Where the heads look",
    looks,
    paragraph(
      `Attention of the clean run from one token of the prompt to the patches of the picture: the heads whose patch moves the logit difference most (mean of the absolute change): ${heads.join("; ")}. ` +
        "Less the mean over all heads of all layers, from the smallest value in blue to the largest in red; or as it is, from zero in dark to the largest in yellow.",
      "quiet",
    ),
    '<div id="heads-look">',
    '<fieldset><legend>Attention</legend><label class="tick"><input type="radio" name="overlay" checked>less the mean of all heads</label><label class="tick"><input type="radio" name="overlay" id="as-is">as it is</label></fieldset>',
    `${inRows(cards)}</div>`,
  );
}

const headsOf = ({ heads, attention }: Overlays): string =>
  heads
    .map(({ layer, head, strength, token }) => {
      const place = attention === "cross" ? "" : token === "last" ? " at the last token" : " at the answer";
      return `L${layer}.H${head} (${short(strength)}${place})`;
    })
    .join(", ");

async function sampleCard(all: Overlays, one: SampleOverlay, run: string): Promise<string> {
  const picture = await thumbnail(async () => Buffer.from(one.picture, "base64"), one.prompt);
  return [
    `<article class="card" style="--picture: url(${picture})"><h3>${run === "" ? "Sample" : `${escapeText(run)}, sample`} ${one.sample} <small>${escapeText(`${one.task}: ${one.prompt}`)}</small></h3>`,
    ...one.tokens.map((grids) => tokenPanels(all, one, grids)),
    "</article>",
  ].join("\n");
}

function tokenPanels(all: Overlays, one: SampleOverlay, { name, text, average, heads }: TokenGrids): string {
  const from = name === "answer" ? `the correct answer’s last piece (${one.answer})` : "the prompt’s last token";
  const panels = all.heads.map(({ layer, head }, i) =>
    panel(`L.${layer} H.${head}`, minus(heads[i]!, average), heads[i]!),
  );
  return [
    `<p>From <b>${escapeText(text)}</b>, ${escapeText(from)}</p><div class="looks">`,
    '<figure><div class="seen"></div><figcaption>the picture</figcaption></figure>',
    ...panels,
    panel(averageTitle(all), average, average),
    "</div>",
  ].join("\n");
}

function panel(title: string, less: readonly number[], whole: readonly number[]): string {
  const layer = (kind: string, grid: readonly number[], map: keyof typeof heatMaps) => {
    const { png, low, high } = heat(grid, map, side);
    return {
      image: `<img class="${kind}" src="${pngAddress(png)}" alt="">`,
      bar: `<span class="ramp ${kind}">${short(low)}<i class="${map}"></i>${short(high)}</span>`,
    };
  };
  const both = [layer("less", less, "seismic"), layer("whole", whole, "viridis")];
  return `<figure><div class="seen">${both.map(({ image }) => image).join("")}</div><figcaption>${title}${both.map(({ bar }) => bar).join("")}</figcaption></figure>`;
}

const ramp = (map: keyof typeof heatMaps) =>
  `.ramp .${map} { background: linear-gradient(to right, ${heatMaps[map].join(", ")}); }`;

const looks = `<style>
#heads-look { display: grid; gap: 16px; }
#heads-look .many { gap: 16px; }
#heads-look :is(.many, .beside) { align-items: start; }
#heads-look .beside + .beside { margin-top: 0; }
#heads-look .card > p { margin: 10px 0 6px; font-size: 13px; }
#heads-look fieldset { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 0; padding: 0; border: 0; }
#heads-look legend { padding: 0; font-size: 12.5px; color: var(--quiet); }
#heads-look .tick { font-size: 14px; color: var(--ink); padding: 0; }
.looks { display: grid; grid-template-columns: repeat(auto-fill, minmax(112px, 1fr)); gap: 10px; }
.looks figure { max-width: 200px; }
.looks figcaption { font-size: 12px; }
.seen { position: relative; aspect-ratio: 1; border-radius: 4px; background: var(--picture) center / 100% 100%; overflow: hidden; }
.seen img { position: absolute; inset: 0; width: 100%; height: 100%; opacity: 0.5; }
.ramp { display: flex; align-items: center; gap: 5px; font-size: 11px; color: var(--quiet); white-space: nowrap; }
.ramp i { flex: 1; height: 7px; border-radius: 2px; }
${ramp("seismic")}
${ramp("viridis")}
#heads-look:not(:has(#as-is:checked)) .whole, #heads-look:has(#as-is:checked) .less { display: none; }
</style>`;
