/** The original's tables, word for word as NOTICE.md 3 lists them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadWords, readEmotions, readStates } from "../../src/data/words.ts";
import { expectUserError } from "../cli/command-line.ts";

const root = mkdtempSync(join(tmpdir(), "notice-words-"));
afterAll(() => rmSync(root, { recursive: true }));

const states = readStates(await loadWords("states.json"));
const emotions = readEmotions(await loadWords("emotions.json"));

test("58 adjectives of three states, in order", () => {
  const listed = Object.fromEntries([...states].map(([state, words]) => [state, [...words.keys()].join(" ")]));
  expect(listed).toEqual({
    shape:
      "small large thick thin coiled cracked folded sliced dented chipped shattered diced straight empty cut pressed torn broken tiny huge melted draped scratched",
    color:
      "caramelized painted bright dark unpainted engraved wet burnt weathered rusty old new dry verdant clean frozen thawed ancient moldy muddy fresh",
    texture:
      "crushed crumpled splintered wrinkled ruffled mossy molten windblown eroded pureed crinkled frayed brushed barren",
  });
  expect([...states.values()].map(({ size }) => size)).toEqual([23, 21, 14]);
});

const similar = `small | tiny little, large | huge massive thick, thick | large huge massive, thin | slim,
cracked | broken chipped shattered splintered, chipped | broken cracked shattered splintered,
shattered | broken cracked chipped splintered, broken | cracked chipped shattered splintered,
scratched | cracked chipped shattered broken splintered, sliced | diced, diced | sliced, cut | torn, torn | cut,
tiny | small little, huge | large massive thick, wet | moist, weathered | rusty ancient old, rusty | ancient weathered old,
old | ancient weathered rusty, ancient | old weathered rusty, new | fresh clean, clean | new fresh, fresh | clean new,
crushed | cracked chipped shattered broken splintered, splintered | cracked chipped shattered broken crushed,
crumpled | wrinkled crinkled, wrinkled | crumpled crinkled, crinkled | crumpled wrinkled, ruffled | frayed, frayed | ruffled,
windblown | barren, barren | windblown`;

test("similar words, some of them one way only", () => {
  const found = new Map([...states.values()].flatMap((words) => [...words]));
  const expected = new Map(
    similar
      .split(",")
      .map((line) =>
        line
          .trim()
          .split(" | ")
          .map((part) => part.trim()),
      )
      .map(([a, b]) => [a!, b!]),
  );
  for (const [word, words] of found) expect(`${word}: ${words.join(" ")}`).toBe(`${word}: ${expected.get(word) ?? ""}`);
  const oneWay = [...found].flatMap(([word, words]) =>
    words.filter((other) => found.has(other) && !found.get(other)!.includes(word)).map((other) => `${word} ${other}`),
  );
  const from = (word: string) => oneWay.filter((pair) => pair.startsWith(word));
  expect(from("scratched")).toHaveLength(5);
  expect(from("crushed")).toEqual(["cracked", "chipped", "shattered", "broken"].map((word) => `crushed ${word}`));
  expect(["little", "massive", "slim", "moist"].filter((word) => found.has(word))).toEqual([]);
});

test("43 words by sentiment, and the emotions' folders", () => {
  expect(emotions.words).toEqual({
    positive: "amused confident content giggly grateful hopeful pleased relaxed relieved satisfied".split(" "),
    negative:
      "ashamed embarrassed lonely nostalgic guilty humiliated envious grumpy jealous flustered horrified insecure overwhelmed stressed scornful uncomfortable".split(
        " ",
      ),
    neutral:
      "bored calm confused curious disoriented distracted puzzled restless shy sincere thoughtful apathetic sympathetic awed shocked startled impressed".split(
        " ",
      ),
  });
  expect(Object.values(emotions.words).map(({ length }) => length)).toEqual([10, 16, 17]);
  expect(Object.fromEntries(emotions.adjectives)).toEqual({
    angry: "angry",
    disgust: "disgusted",
    fear: "fearful",
    happy: "happy",
    neutral: "neutral",
    sad: "sad",
    surprise: "surprised",
  });
  const sentiment = (emotion: string) => emotions.sentiments.get(emotion);
  expect(["happy", "angry", "disgusted", "fearful", "sad", "neutral", "surprised"].map(sentiment)).toEqual([
    "positive",
    ...Array(4).fill("negative"),
    "neutral",
    "neutral",
  ]);
});

test("a task brings its own words in its folder, or by name", async () => {
  expect([...readStates(await loadWords("states.json", { folder: "data/miniature/mit_states" })).keys()]).toEqual([
    "color",
    "shape",
    "texture",
  ]);
  const file = join(root, "mine.json");
  writeFileSync(file, '{"size": {"big": ["huge"], "small": []}}\r\n');
  const words = await loadWords("states.json", { file, folder: "data/miniature/mit_states" });
  expect(readStates(words).get("size")!.get("big")).toEqual(["huge"]);
  const unix = join(root, "unix.json");
  writeFileSync(unix, '{"size": {"big": ["huge"], "small": []}}\n');
  expect((await loadWords("states.json", { file: unix })).sha256).toBe(words.sha256);
});

test.for<[string, RegExp]>([
  ["{", /is not JSON \(.*\); compare it with data\/words\/states\.json/],
  ["[]", /the file is \[\], expected an object; see data\/words/],
  ['{"a": {"b": "c"}}', /"a"\."b" is "c", expected a list of words; see data\/words/],
  ['{"a": {"b": []}, "c": {"b": []}}', /has "b" in two groups; leave it in one/],
  ['{"a": {"b": []}}', /has 1 words, expected at least two/],
])("refuses %s", async ([text, message]) => {
  const file = join(root, "bad.json");
  writeFileSync(file, text);
  await expectUserError(async () => readStates(await loadWords("states.json", { file })), message);
});
