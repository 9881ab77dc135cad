/** SVO-Probes: `svo_probes.csv` and a folder of pictures to rows, two for each pair of triplets. */
import { join } from "node:path";
import { type Draft, drop, type LookAt, python, type Workshop } from "./draft.ts";
import type { Participle } from "./participle.ts";
import { isReadable } from "./pictures.ts";
import { symmetricPrompts } from "./symmetric.ts";
import { type Cells, readBytes, readTable } from "./table.ts";
import { negatedPlace, places, readTriplet, svoPictures, type Triplet, tripletWords } from "./triplets.ts";

const flags = places.map((place) => `${place}_neg`);
const required = ["pos_triplet", "neg_triplet", "pos_url", "neg_url", ...flags];

/** A row of two whole triplets, the place where they differ, and the template prompt. */
interface Question {
  readonly cells: Cells;
  readonly place: number;
  readonly prompt: string;
}

/** The same asked of one of its two pictures. */
interface Asked {
  readonly question: Question;
  readonly isPositive: boolean;
  readonly clean: string;
  readonly corrupt: string;
}

export interface SvoSource {
  readonly folder: string;
  /** Polished prompts by template prompt, with their question mark. */
  readonly polished: ReadonlyMap<string, string>;
  readonly participle: Participle;
}

export async function svoRows(source: SvoSource, shop: Workshop, lookAt: LookAt): Promise<Draft[]> {
  const path = join(source.folder, "svo_probes.csv");
  const { rows } = readTable(path, await readBytes(path), required);
  const questions = rows.flatMap((cells) => question(cells, shop));
  const asked = await withPictures(source.folder, questions, shop, lookAt);
  const unique = distinct(asked, shop);
  const vocabulary = tripletWords(
    unique.flatMap(({ question: { cells } }) => [cells.pos_triplet!, cells.neg_triplet!]),
  );
  const replaced = symmetricPrompts(vocabulary, source.participle, shop);
  return unique.flatMap((one) => {
    const prompt = source.polished.get(one.question.prompt) ?? one.question.prompt;
    const corrupt = replaced({ ...triplets(one.question), place: one.question.place, prompt });
    return corrupt === undefined ? [] : [draft(one, prompt, corrupt, shop)];
  });
}

/** None where the triplets do not give one; either direction is counted. */
function question(cells: Cells, { tally }: Workshop): Question[] {
  const [positive, negative] = [readTriplet(cells.pos_triplet!), readTriplet(cells.neg_triplet!)];
  const place = negatedPlace(cells);
  if (typeof positive === "number" || typeof negative === "number") {
    const empty = positive === 0 || negative === 0;
    drop(tally, empty ? "empty triplet" : "triplet that has not three parts", 2);
  } else if (place === -1) drop(tally, "no flag says which word is negated", 2);
  else if (positive[place] === negative[place]) drop(tally, "both options are the same word", 2);
  else {
    const prompt = template(positive, negative[place]!, place);
    if (!prompt.includes("person")) return [{ cells, place, prompt }];
    drop(tally, "prompt with person", 2);
  }
  return [];
}

/** `is s or s- v o?`: the positive option comes first. */
function template(positive: Triplet, negative: string, place: number): string {
  const words = positive.map((word, i) => (i === place ? `${word} or ${negative}` : word));
  return `is ${words.join(" ")}?`.toLowerCase();
}

/** Both directions of each question whose two pictures can be read (D23). */
async function withPictures(folder: string, questions: readonly Question[], { tally }: Workshop, lookAt: LookAt) {
  const find = await svoPictures(
    folder,
    questions.flatMap(({ cells }) => [cells.pos_url!, cells.neg_url!]),
  );
  const found = questions.map(({ cells }) => [
    find(cells.pos_url!, cells.pos_image_id),
    find(cells.neg_url!, cells.neg_image_id),
  ]);
  const looked = await lookAt(found.flat().flatMap((place) => ("path" in place ? [place.path] : [])));
  return questions.flatMap((question, i): Asked[] => {
    const problems = found[i]!.flatMap((place) => ("problem" in place ? [place.problem] : []));
    const paths = found[i]!.flatMap((place) => ("path" in place ? [place.path] : []));
    const unreadable = paths.some((path) => !isReadable(looked, path)) ? ["picture missing or unreadable"] : [];
    const [problem] = [...problems, ...unreadable];
    const [clean, corrupt] = [paths[0]!, paths[1]!];
    if (problem === undefined) {
      return [
        { question, isPositive: true, clean, corrupt },
        { question, isPositive: false, clean: corrupt, corrupt: clean },
      ];
    }
    drop(tally, problem, 2);
    return [];
  });
}

/** The first of equal prompts; D13 is to forget that the answer makes two questions of one prompt. */
function distinct(asked: readonly Asked[], { defects, tally }: Workshop): Asked[] {
  const seen = new Set<string>();
  return asked.filter((one) => {
    const key = defects.D13 === "upstream" ? one.question.prompt : `${one.question.prompt} ${answerOf(one)}`;
    const isNew = !seen.has(key);
    seen.add(key);
    if (!isNew) drop(tally, "prompt of an earlier row");
    return isNew;
  });
}

/** Read anew each time: to keep them of 100,000 rows would cost much memory. */
const triplets = ({ cells }: Question) => ({
  positive: readTriplet(cells.pos_triplet!) as Triplet,
  negative: readTriplet(cells.neg_triplet!) as Triplet,
});

const answerOf = ({ isPositive, question }: Asked) =>
  triplets(question)[isPositive ? "positive" : "negative"][question.place]!;

function draft(one: Asked, prompt: string, corrupt: string, { defects }: Workshop): Draft {
  const { isPositive, question } = one;
  const { cells, place } = question;
  const { positive, negative } = triplets(question);
  const wrong = isPositive || defects.D16 === "upstream" ? negative : positive;
  return {
    clean_image_path: one.clean,
    corrupt_image_path: one.corrupt,
    clean_prompt: prompt,
    corrupt_prompt: corrupt,
    correct_answer: answerOf(one),
    incorrect_answer: wrong[place]!,
    correct_first: python(isPositive),
    group: places[place]!,
    own: cells,
  };
}
