/** Facial expressions: `images/train/<emotion>/*.jpg` to rows. */
import { allReplaced, type Draft, drop, type LookAt, python, replacement, type Workshop } from "./draft.ts";
import { foldersIn, picturesIn } from "./layout.ts";
import { isReadable } from "./pictures.ts";
import { vocabularyOf } from "./vocabulary.ts";
import type { Emotions } from "./words.ts";

export async function facesRows(folder: string, emotions: Emotions, shop: Workshop, lookAt: LookAt): Promise<Draft[]> {
  const { random, tally, pieces } = shop;
  const files = new Map<string, string[]>();
  for (const name of foldersIn(folder)) {
    const emotion = emotions.adjectives.get(name);
    const pictures = picturesIn(folder, name);
    if (emotion === undefined) drop(tally, "picture in a folder of no emotion", pictures.length);
    else files.set(emotion, pictures);
  }
  const looked = await lookAt([...files.values()].flat());
  const good = new Map(
    [...files].map(([emotion, paths]) => [emotion, paths.filter((path) => isReadable(looked, path))]),
  );
  const shown = [...good.keys()].filter((emotion) => good.get(emotion)!.length > 0);

  const { positive, negative, neutral } = emotions.words;
  const bright = vocabularyOf(positive, pieces.count);
  const other = vocabularyOf([...negative, ...neutral], pieces.count);
  const replaced = (word: string) =>
    replacement(shop, emotions.sentiments.get(word) === "positive" ? other : bright, word, new Set());

  return [...files].flatMap(([emotion, paths]) =>
    paths.flatMap((path): Draft[] => {
      const others = shown.filter((name) => name !== emotion);
      if (!isReadable(looked, path) || others.length === 0) {
        drop(tally, others.length === 0 ? "no other emotion with pictures" : "picture missing or unreadable");
        return [];
      }
      const wrong = random.choose(others);
      const correctFirst = random.upTo(1) === 1;
      const options = correctFirst ? [emotion, wrong] : [wrong, emotion];
      const corrupt = random.choose(good.get(wrong)!);
      const words = allReplaced(shop, options.map(replaced));
      if (words === undefined) return [];
      const question = ([a, b]: readonly string[]) => `Is this person feeling ${a} or ${b}?`;
      return [
        {
          clean_image_path: path,
          corrupt_image_path: corrupt,
          clean_prompt: question(options),
          corrupt_prompt: question(words.map(({ word }) => word)),
          correct_answer: emotion,
          incorrect_answer: wrong,
          correct_first: python(correctFirst),
          group: emotion,
          own: {},
        },
      ];
    }),
  );
}
