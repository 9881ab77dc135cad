import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type Compat, dataDefects, prepareDefects } from "../../src/data/defects.ts";
import { type PrepareOptions, prepare } from "../../src/data/prepare.ts";
import { type Task, tasks } from "../../src/data/sample.ts";
import { checkPictures, readDataFile } from "../../src/data/samples.ts";
import { type Cells, readTable, saveTable } from "../../src/data/table.ts";
import { loadWords, readEmotions, readStates } from "../../src/data/words.ts";
import { hashOf } from "../../src/models/hash.ts";
import { expectUserError } from "../cli/command-line.ts";

const root = mkdtempSync(join(tmpdir(), "notice-prepare-"));
afterAll(() => rmSync(root, { recursive: true }));

const miniature = "data/miniature";
const polished = join(miniature, "svo_probes/gpt3.5_prompts.csv");
let files = 0;

interface Choice extends Partial<PrepareOptions> {
  readonly except?: string[];
}

async function make(task: Task, { compat = "corrected", except = [], ...choice }: Choice = {}) {
  const out = join(root, `${files++}.csv`);
  const defects = dataDefects(prepareDefects, compat, except);
  const options = { task, data: miniature, seed: 5, out, tokenizer: "blip-mini", compat, defects, ...choice };
  const manifest = await prepare(options);
  const bytes = readFileSync(out);
  return { manifest, out, bytes, rows: readTable(out, bytes, []).rows };
}

const made = {
  facial_expressions: await make("facial_expressions"),
  mit_states: await make("mit_states"),
  svo_probes: await make("svo_probes", { prompts: polished }),
};

const words = (prompt: string | undefined) => prompt!.toLowerCase().match(/[a-z]+/g)!;
const folderOf = (path: string | undefined) => basename(join(path!, ".."));
const counted = (rows: readonly unknown[], drops: Readonly<Record<string, number>>) =>
  rows.length + Object.values(drops).reduce((a, b) => a + b, 0);

describe.each(tasks)("%s of the miniature", (task) => {
  const { manifest, out, bytes, rows } = made[task];

  test("is read as a data file; its manifest holds the hashes of the file and of each picture", async () => {
    const file = await readDataFile(out, task);
    checkPictures(file, file.rows);
    expect(file.rows.map(({ index }) => rows[index]!.correct_first)).toEqual(
      file.rows.map(({ correctFirst }) => (correctFirst ? "True" : "False")),
    );
    expect(manifest).toEqual(JSON.parse(readFileSync(out.replace(".csv", ".manifest.json"), "utf8")));
    expect(manifest.csv_sha256).toBe(hashOf(bytes));
    expect(manifest.rows).toBe(rows.length);
    const used = new Set(rows.flatMap((row) => [row.clean_image_path, row.corrupt_image_path]));
    expect(new Set(Object.keys(manifest.pictures))).toEqual(used);
    for (const [path, sha256] of Object.entries(manifest.pictures))
      expect(hashOf(readFileSync(join(root, path)))).toBe(sha256);
    expect(manifest.words_sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  test("same seed, same bytes; another seed, other bytes", async () => {
    const prompts = task === "svo_probes" ? polished : undefined;
    const again = await make(task, { prompts });
    expect(again.bytes.equals(bytes)).toBe(true);
    expect(again.manifest).toEqual(manifest);
    const other = await make(task, { prompts, seed: 6 });
    expect(other.bytes.equals(bytes)).toBe(false);
  });

  test("asks for two options that the corrupt prompt replaces, word by word", () => {
    for (const row of rows) {
      const [clean, corrupt] = [words(row.clean_prompt), words(row.corrupt_prompt)];
      expect(corrupt).toHaveLength(clean.length);
      expect(clean.filter((word, i) => word !== corrupt[i]).length, row.corrupt_prompt).toBe(2);
      expect(row.corrupt_prompt).toMatch(/\?$/);
      expect(row.correct_answer).not.toBe(row.incorrect_answer);
      expect(row.token_alignment).toMatch(/^[\d -]+$/);
    }
  });
});

test("facial expressions: words of the other sentiment, pictures of the wrong emotion", async () => {
  const { rows, manifest } = made.facial_expressions;
  const { words: bySentiment, adjectives } = readEmotions(await loadWords("emotions.json"));
  expect(rows).toHaveLength(168);
  expect(manifest.groups.fearful).toBe(24);
  for (const row of rows) {
    expect(adjectives.get(folderOf(row.clean_image_path))).toBe(row.correct_answer);
    expect(adjectives.get(folderOf(row.corrupt_image_path))).toBe(row.incorrect_answer);
    const [clean, corrupt] = [words(row.clean_prompt), words(row.corrupt_prompt)];
    for (const at of [4, 6]) expect(bySentiment.positive.includes(corrupt[at]!)).toBe(clean[at] !== "happy");
  }
  const orders = rows.filter(({ correct_first }) => correct_first === "True").length;
  expect(orders).toBeGreaterThan(60);
  expect(orders).toBeLessThan(108);
});

test("MIT-States: other adjectives of the noun, each picture once, words that are not alike", async () => {
  const { rows, manifest } = made.mit_states;
  const states = readStates(await loadWords("states.json", { folder: join(miniature, "mit_states") }));
  const listed = new Map([...states.values()].flatMap((group) => [...group]));
  expect(counted(rows, manifest.drops)).toBe(61 * 4);
  for (const column of ["clean_image_path", "corrupt_image_path"])
    expect(new Set(rows.map((row) => row[column])).size).toBe(rows.length);
  for (const row of rows) {
    expect(folderOf(row.clean_image_path)).toBe(`${row.correct_answer} ${row.noun}`);
    expect(folderOf(row.corrupt_image_path)).toBe(`${row.incorrect_answer} ${row.noun}`);
    expect(states.get(row.state!)!.has(row.correct_answer!)).toBe(true);
    const [clean, corrupt] = [words(row.clean_prompt), words(row.corrupt_prompt)];
    for (const at of [3, 5]) {
      expect(listed.has(corrupt[at]!)).toBe(true);
      expect([clean[at], ...listed.get(clean[at]!)!]).not.toContain(corrupt[at]);
    }
  }
});

test("SVO-Probes: both directions of each polished prompt, verbs in -ing, equal numbers of pieces", () => {
  const { rows, manifest } = made.svo_probes;
  const pairs = readTable(polished, readFileSync(polished), []).rows;
  expect(rows).toHaveLength(2 * pairs.length);
  expect(manifest.prompts).toMatchObject({ count: pairs.length, used: rows.length });
  expect(manifest.replacements["unequal pieces"]).toBe(0);
  expect(manifest.groups).toEqual({ subj: 72, verb: 96, obj: 96 });
  for (const row of rows) {
    const isPositive = row.clean_image_path!.endsWith(row.pos_url!);
    expect(row.corrupt_image_path!.endsWith((isPositive ? row.neg_url : row.pos_url)!)).toBe(true);
    expect((isPositive ? row.pos_triplet : row.neg_triplet)!.split(",")).toContain(row.correct_answer);
    expect(words(row.corrupt_prompt)).not.toContain(row.correct_answer);
    const [before, after] = /(\S+) or (?:the )?(\w+)/.exec(row.corrupt_prompt!)!.slice(1);
    if (row.verb_neg === "True" && !row.clean_prompt!.startsWith("Does"))
      expect([before, after].join()).toMatch(/ing,\w+ing$/);
  }
});

describe("pictures that are missing or cannot be read cost their rows, with the reason (D23)", () => {
  const data = join(root, "holes");
  cpSync("data/miniature/svo_probes", join(data, "svo_probes"), { recursive: true });
  cpSync("data/miniature/facial_expressions", join(data, "facial_expressions"), { recursive: true });
  unlinkSync(join(data, "svo_probes/images/0001.jpg"));
  truncateSync(join(data, "svo_probes/images/0003.jpg"), 900);
  const happy = join(data, "facial_expressions/images/train/happy");
  truncateSync(join(happy, "00076.jpg"), 0);

  test.for(["corrected", "upstream"] as const)("SVO-Probes, %s", async (compat) => {
    const { manifest, rows } = await make("svo_probes", { data, compat, except: compat === "upstream" ? ["D13"] : [] });
    expect(manifest.drops["picture missing or unreadable"]).toBe(4);
    expect(rows.filter((row) => ["0001.jpg", "0003.jpg"].includes(row.pos_url!))).toEqual([]);
    expect(counted(rows, manifest.drops)).toBe(264);
  });

  test("facial expressions: nor is it anyone's corrupt picture", async () => {
    const { manifest, rows } = await make("facial_expressions", { data });
    expect(manifest.drops).toEqual({ "picture missing or unreadable": 1 });
    expect(rows).toHaveLength(167);
    expect(Object.keys(manifest.pictures).filter((path) => path.endsWith("00076.jpg"))).toEqual([]);
  });

  test("a URL outside image_urls.txt", async () => {
    const list = join(data, "svo_probes/image_urls.txt");
    const lines = readFileSync(list, "utf8").split("\n");
    await saveTable(
      list,
      [lines[9]!],
      lines.slice(10).map((line) => [line]),
    );
    const { manifest } = await make("svo_probes", { data });
    expect(manifest.drops["picture not in image_urls.txt"]).toBe(10);
  });
});

/** An original of these triplet pairs, `positive negative place`, all with the same two pictures. */
async function probes(
  pairs: readonly string[],
  urls = ["https://a.example/x/0001.jpg?s=1", "https://b.example/0002.jpg"],
) {
  const data = join(root, `svo-${files++}`);
  mkdirSync(join(data, "images"), { recursive: true });
  for (const name of ["0001.jpg", "0002.jpg"])
    cpSync(join("data/miniature/svo_probes/images", name), join(data, "images", name));
  const columns = ["pos_triplet", "neg_triplet", "pos_url", "neg_url", "subj_neg", "verb_neg", "obj_neg"];
  const rows = pairs.map((pair) => {
    const [positive, negative, place] = pair.split(" ");
    const flags = ["subj", "verb", "obj"].map((name) => (name === place ? "True" : "False"));
    return [positive!.replaceAll("_", " "), negative!.replaceAll("_", " "), ...urls, ...flags];
  });
  await saveTable(join(data, "svo_probes.csv"), columns, rows);
  return data;
}

const filler = ["dog,eat,ball dog,eat,car obj", "cat,sit,tree boy,sit,tree subj", "girl,ride,bus girl,push,bus verb"];

test("template prompts, lists of triplets, and what is left out of them", async () => {
  const data = await probes([
    ...filler,
    "['dog,run,lake','dog,run,sea'] [\"dog,swim,lake\"] verb",
    "[] dog,run,sea verb",
    "['[]'] dog,run,sea verb",
    "dog,run dog,run,sea obj",
    "person,run,sea dog,run,sea subj",
    "dog,run,sea dog,run,lake none",
    "dog,run,sea dog,run,sea obj",
  ]);
  const { rows, manifest } = await make("svo_probes", { data });
  const prompts = rows.map(({ clean_prompt }) => clean_prompt);
  expect([...new Set(prompts)]).toEqual([
    "is dog eat ball or car?",
    "is cat or boy sit tree?",
    "is girl ride or push bus?",
    "is dog run or swim lake?",
  ]);
  expect(rows.at(-1)).toMatchObject({ correct_answer: "swim", incorrect_answer: "run", correct_first: "False" });
  expect(manifest.drops).toEqual({
    "empty triplet": 4,
    "triplet that has not three parts": 2,
    "prompt with person": 2,
    "no flag says which word is negated": 2,
    "both options are the same word": 2,
  });
});

const many = [..."abcdefghij"].flatMap((a, i) => [`dog,eat,w${a}t dog,eat,w${"bcdefghija"[i]}t obj`]);

async function seeds(data: string, compat: Compat, except: string[] = []): Promise<Cells[]> {
  const runs = [];
  for (let seed = 0; seed < 6; seed++) runs.push(...(await make("svo_probes", { data, seed, compat, except })).rows);
  return runs;
}

describe("defects, one by one", () => {
  test("D13 keeps the positive direction alone", async () => {
    const data = await probes([...filler, ...filler]);
    expect((await make("svo_probes", { data })).rows).toHaveLength(6);
    const { rows, manifest } = await make("svo_probes", { data, except: ["D13"] });
    expect(rows.map(({ correct_first }) => correct_first)).toEqual(["True", "True", "True"]);
    expect(manifest.drops).toEqual({ "prompt of an earlier row": 9 });
  });

  test("D14 bans the negative verb, so that the negative object may be drawn", async () => {
    const data = await probes(many);
    const negative = ({ corrupt_prompt, neg_triplet }: Cells) =>
      words(corrupt_prompt).includes(neg_triplet!.split(",")[2]!);
    expect((await seeds(data, "corrected")).filter(negative)).toEqual([]);
    expect((await seeds(data, "corrected", ["D14"])).filter(negative).length).toBeGreaterThan(0);
  });

  test("D15 eats the question mark of a last word", async () => {
    const data = await probes(filler);
    const ends = (rows: readonly Cells[]) =>
      rows.map(({ corrupt_prompt, obj_neg }) => [obj_neg, corrupt_prompt!.at(-1) === "?"]);
    const { rows } = await make("svo_probes", { data, except: ["D15"] });
    for (const [isObject, hasMark] of ends(rows)) expect(hasMark).toBe(isObject === "False");
  });

  test("D16 gives the negative direction its own answer as the wrong one", async () => {
    const { rows } = await make("svo_probes", { data: await probes(filler), except: ["D16"] });
    for (const { correct_answer, incorrect_answer, correct_first } of rows)
      expect(correct_answer === incorrect_answer).toBe(correct_first === "False");
  });

  test("D22 inflects the first place where the letters of a verb stand; D11 leaves it to the selection", async () => {
    const data = await probes([
      "ratmanpet,rat,sea ratmanpet,pet,sea verb",
      ...[..."xyz"].map((c) => `a,man,${c} b,man,${c} subj`),
    ]);
    const verbsOf = (rows: readonly Cells[]) =>
      rows.filter(({ verb_neg }) => verb_neg === "True").map(({ corrupt_prompt }) => corrupt_prompt);
    const corrected = verbsOf((await make("svo_probes", { data })).rows);
    expect(corrected).toEqual([]); // one verb is left for two options
    const two = await probes([
      "ratmanpet,rat,sea ratmanpet,pet,sea verb",
      ...[..."xyz"].map((c) => `a,man,${c} a,row,${c} verb`),
    ]);
    expect(verbsOf((await make("svo_probes", { data: two })).rows)[0]).toMatch(
      /^is ratmanpet (manning or rowing|rowing or manning) sea\?$/,
    );
    const upstream = verbsOf((await make("svo_probes", { data: two, except: ["D22"] })).rows)[0];
    expect(upstream).toMatch(/^is ratmanningpet (man or rowing|rowing or man) sea\?$/);
    expect(verbsOf((await make("svo_probes", { data: two, except: ["D11"] })).rows)[0]).toMatch(
      /^is ratmanpet (man or row|row or man) sea\?$/,
    );
  });

  test("D8 draws replacements of any number of pieces", async () => {
    const corrected = (await make("svo_probes", { data: await probes(many) })).manifest.replacements;
    expect(corrected["unequal pieces"]).toBe(0);
    const { replacements } = (await make("facial_expressions", { except: ["D8"] })).manifest;
    expect(replacements["equal pieces"]).toBeLessThan(made.facial_expressions.manifest.replacements["equal pieces"]);
  });
});

test("a polished prompt in which an option is not found costs its row; D11 keeps it as the original writes it", async () => {
  const data = await probes(filler);
  const prompts = join(root, "prompts.csv");
  await saveTable(
    prompts,
    ["Original Prompts", "GPT-3.5 Prompts"],
    [
      ["is dog eat ball or car?", "Is the dog eating a sphere or a vehicle?"],
      ["is cat or boy sit tree?", "Is it the cat or the boy that sits in the tree"],
    ],
  );
  const { rows, manifest } = await make("svo_probes", { data, prompts });
  expect(manifest.drops).toEqual({ "option not found in the prompt": 2 });
  expect(manifest.prompts).toMatchObject({ count: 2, used: 2 });
  expect(rows[0]!.clean_prompt).toBe("Is it the cat or the boy that sits in the tree?");
  const kept = await make("svo_probes", { data, prompts, except: ["D11"] });
  expect(kept.rows.filter(({ corrupt_prompt }) => corrupt_prompt === "NO PROMPT MADE")).toHaveLength(2);
});

test("says what it cannot work with", async () => {
  const cases: [Task, Choice, RegExp][] = [
    ["mit_states", { data: "no/folder" }, /no\/folder: found no such folder; expected images\/<adjective> <noun>/],
    ["svo_probes", { data: "src" }, /src: does not hold task svo_probes; expected svo_probes\.csv beside images/],
    ["mit_states", { prompts: polished }, /--prompts: got .* only svo_probes has polished prompts/],
    ["mit_states", { tokenizer: "no-model" }, /model "no-model": found no folder/],
    [
      "svo_probes",
      { prompts: "data/miniature/samples.csv" },
      /has no column "Original Prompts"; .*rename or add it in row 1/,
    ],
  ];
  for (const [task, choice, message] of cases) await expectUserError(() => make(task, choice), message);
  const empty = await probes(["[] a,b,c subj"]);
  await expectUserError(
    () => make("svo_probes", { data: empty }),
    /gives no row of task svo_probes \(2 empty triplet\); check its pictures and words/,
  );
});
