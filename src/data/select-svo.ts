/** SVO-Probes: which word is negated, and whose picture is clean, so many each. */
import { UserError } from "../models/errors.ts";
import { aroundOr, type Participle } from "./participle.ts";
import { sample, seededRandom } from "./random.ts";
import { type Answered, countGroup, leaveOut, rightOnes, type Selection } from "./selection.ts";
import { NO_PROMPT } from "./symmetric.ts";
import type { Cells } from "./table.ts";
import { places, readTriplet } from "./triplets.ts";

export function selectSvo(rows: readonly Answered[], selection: Selection, participle: Participle): Answered[] {
  const { defects, report } = selection;
  const right = usable(rightOnes(rows, report), selection);
  const chosen = draw(rows, right, selection);
  leaveOut(report, "not drawn", right.length - new Set(chosen.map(({ label }) => label)).size);
  return defects.D11 === "upstream" ? joinedByLabel(chosen, right, selection, participle) : chosen;
}

/** Rows with two options and a replacement, and the question mark that may be missing. */
function usable(rows: readonly Answered[], { report, defects }: Selection): Answered[] {
  const asking = rows.filter(({ cells }) => /\bor\b/i.test(cells.clean_prompt!));
  leaveOut(report, "prompt without the word or", rows.length - asking.length);
  const made = asking.filter(({ cells }) => defects.D11 === "upstream" || hasPrompt(cells));
  leaveOut(report, "no corrupt prompt", asking.length - made.length);
  return made.map((row) => (row.cells.clean_prompt!.endsWith("?") ? row : { ...row, cells: withMark(row.cells) }));
}

/** Both prompts get it, or they would have unequal numbers of tokens. */
function withMark(cells: Cells): Cells {
  const { clean_prompt, corrupt_prompt } = cells;
  const isPrompt = hasPrompt(cells) && !corrupt_prompt!.endsWith("?");
  const made = {
    ...cells,
    clean_prompt: `${clean_prompt}?`,
    corrupt_prompt: isPrompt ? `${corrupt_prompt}?` : corrupt_prompt!,
  };
  return cells.token_alignment === undefined ? made : { ...made, token_alignment: "" };
}

const hasPrompt = ({ corrupt_prompt }: Cells) => corrupt_prompt !== NO_PROMPT && corrupt_prompt!.trim() !== "";

function draw(rows: readonly Answered[], right: readonly Answered[], selection: Selection): Answered[] {
  const { seed, perGroup, defects } = selection;
  let previous: Answered[] | undefined;
  return (["subj", "obj", "verb"] as const).flatMap((place) =>
    [true, false].flatMap((positive) => {
      // D12 asks for the positive picture both times.
      const isOfGroup = ({ cells }: Answered) =>
        isTrue(cells[`${place}_neg`]) && isPositive(cells) === (positive || defects.D12 === "upstream");
      const group = right.filter(isOfGroup);
      const name = `${place} ${positive ? "positive" : "negative"}`;
      let drawn = group.length > perGroup ? sample(group, perGroup, seededRandom(seed)) : group;
      if (group.length < perGroup && defects.D11 === "upstream") {
        if (previous === undefined) throw short(name, group.length, perGroup);
        drawn = previous;
      }
      previous = drawn;
      countGroup(selection, name, rows.filter(isOfGroup), drawn.length);
      return drawn;
    }),
  );
}

const short = (name: string, got: number, wanted: number) =>
  new UserError(
    `group ${name}: has ${got} rows, expected ${wanted}, and the original stops there (D11); ` +
      `give --per-group ${Math.max(1, got)}, leave out --compat upstream, or add --except D11`,
  );

const isTrue = (cell: string | undefined) => /^(?:true|1)$/i.test(cell ?? "");

/** Is the clean picture the positive triplet's? The original's files name pictures by URL, ours by path. */
function isPositive(cells: Cells): boolean {
  const { clean_image_path, pos_url, neg_url, correct_answer } = cells;
  if (clean_image_path === pos_url || clean_image_path === neg_url) return clean_image_path === pos_url;
  const place = places.findIndex((name) => isTrue(cells[`${name}_neg`]));
  const positive = readTriplet(cells.pos_triplet!);
  return typeof positive !== "number" && positive[place]?.toLowerCase() === correct_answer!.toLowerCase();
}

/** D11: the row at place i gets the corrupt prompt of the row of label i, if there is one; then the -ing step. */
function joinedByLabel(
  chosen: readonly Answered[],
  right: readonly Answered[],
  { defects, report }: Selection,
  participle: Participle,
): Answered[] {
  const prompts = new Map(right.map(({ label, cells }) => [label, cells.corrupt_prompt!]));
  const joined = chosen.map(
    (row, i): Answered => ({ ...row, cells: { ...row.cells, corrupt_prompt: prompts.get(i) ?? "" } }),
  );
  const made = joined.filter(({ cells }) => cells.corrupt_prompt !== NO_PROMPT);
  leaveOut(report, "no corrupt prompt", joined.length - made.length);
  const kept = made.filter(({ cells }) => cells.corrupt_prompt !== "" || !isTrue(cells.verb_neg));
  leaveOut(report, "no row of that label, and a verb", made.length - kept.length);
  report.empty_prompts = kept.filter(({ cells }) => cells.corrupt_prompt === "").length;
  return kept.map((row) => {
    if (!isTrue(row.cells.verb_neg)) return row;
    const corrupt_prompt = aroundOr(row.cells.corrupt_prompt!, participle, defects.D22);
    return { ...row, cells: { ...row.cells, corrupt_prompt } };
  });
}
