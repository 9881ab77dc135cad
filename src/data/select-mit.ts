/**
 * MIT-States: states in the order color, shape, texture; in each every answer in every order at least once, filled up.
 * The original draws with replacement, and D18 leaves it the prompts that mention the state's first answer.
 */
import { UserError } from "../models/errors.ts";
import { type Random, sample, sampleWithReplacement, seededRandom } from "./random.ts";
import { type Answered, countGroup, leaveOut, rightOnes, type Selection, withOrder } from "./selection.ts";

export function selectMit(rows: readonly Answered[], selection: Selection): Answered[] {
  const { seed, report, defects } = selection;
  const right = rightOnes(rows, report);
  const random = seededRandom(seed);
  const states = [...new Set(rows.map(({ cells }) => cells.state!))].sort();
  const chosen = states.flatMap((state) => {
    const all = rows.filter(({ cells }) => cells.state === state);
    const own = right.filter(({ cells }) => cells.state === state);
    return defects.D18 === "upstream"
      ? upstreamState(state, all, own, selection, random)
      : correctedState(state, all, own, selection, random);
  });
  leaveOut(report, "not drawn", right.length - new Set(chosen.map(({ label }) => label)).size);
  return chosen.map((row) => withOrder(row, comesFirst(row)));
}

/** The fourth word of the prompt, or whatever stands before `or`, is the answer. */
const comesFirst = ({ cells }: Answered) => cells.clean_prompt!.includes(` ${cells.correct_answer} or `);

function correctedState(
  state: string,
  all: readonly Answered[],
  own: readonly Answered[],
  selection: Selection,
  random: Random,
): Answered[] {
  return [true, false].flatMap((order) => {
    const rows = own.filter((row) => comesFirst(row) === order);
    const forced = sample(onePerAnswer(rows, random), selection.perGroup, random);
    const rest = rows.filter((row) => !forced.includes(row));
    const drawn = [...forced, ...sample(rest, selection.perGroup - forced.length, random)];
    const name = `${state} ${order ? "first" : "second"}`;
    countGroup(
      selection,
      name,
      all.filter((row) => comesFirst(row) === order),
      drawn.length,
    );
    return drawn;
  });
}

const answers = (rows: readonly Answered[]) => [...new Set(rows.map(({ cells }) => cells.correct_answer!))];

const onePerAnswer = (rows: readonly Answered[], random: Random) =>
  answers(rows).flatMap((answer) =>
    sample(
      rows.filter(({ cells }) => cells.correct_answer === answer),
      1,
      random,
    ),
  );

function upstreamState(
  state: string,
  all: readonly Answered[],
  own: readonly Answered[],
  selection: Selection,
  random: Random,
): Answered[] {
  const [first] = own;
  if (first === undefined) throw cannotDraw(state, "no row was answered rightly");
  const word = first.cells.correct_answer!;
  const before = own.filter(({ cells }) => cells.clean_prompt!.includes(` ${word} or`));
  const after = own.filter(({ cells }) => cells.clean_prompt!.includes(`or ${word}`));
  const forced = answers(own).flatMap((answer) =>
    [before, after].flatMap((rows) =>
      sample(
        rows.filter(({ cells }) => cells.correct_answer === answer),
        1,
        random,
      ),
    ),
  );
  const fill = selection.perGroup - Math.floor(forced.length / 2);
  const filled = [before, after].map((rows) => {
    const rest = rows.filter((row) => !forced.includes(row));
    if (fill < 0 || (rest.length === 0 && fill > 0)) throw cannotDraw(state, `prompts with "${word}" are too few`);
    return [...forced, ...sampleWithReplacement(rest, fill, random)];
  });
  const drawn = sampleWithReplacement(filled.flat(), 2 * selection.perGroup, random);
  countGroup(selection, state, all, drawn.length, 2 * selection.perGroup);
  return drawn;
}

const cannotDraw = (state: string, why: string) =>
  new UserError(
    `state ${state}: ${why}, and the original stops there (D18); leave out --compat upstream, or add --except D18`,
  );
