/** Facial expressions: emotion and order, at most so many each, as pandas draws them. */
import { sample, seededRandom } from "./random.ts";
import { type Answered, countGroup, leaveOut, rightOnes, type Selection, withOrder } from "./selection.ts";

export function selectFaces(rows: readonly Answered[], selection: Selection): Answered[] {
  const { seed, perGroup, report } = selection;
  const right = rightOnes(rows, report);
  const emotions = [...new Set(right.map(({ cells }) => cells.correct_answer!))];
  const chosen = emotions.flatMap((emotion) =>
    [true, false].flatMap((order) => {
      const isOfGroup = (row: Answered) => row.cells.correct_answer === emotion && comesFirst(row) === order;
      const group = right.filter(isOfGroup);
      const drawn = sample(group, Math.min(perGroup, group.length), seededRandom(seed));
      countGroup(selection, `${emotion} ${order ? "first" : "second"}`, rows.filter(isOfGroup), drawn.length);
      return drawn.map((row) => withOrder(row, order));
    }),
  );
  leaveOut(report, "not drawn", right.length - chosen.length);
  return chosen;
}

const comesFirst = ({ cells }: Answered) => cells.clean_prompt!.includes(`feeling ${cells.correct_answer} or`);
