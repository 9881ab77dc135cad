/** Wrong use ends in exit code 2 and one sentence that says what was got, what was expected and what to do. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { command as capture } from "../../src/cli/capture.ts";
import { type Command, readArguments } from "../../src/cli/command.ts";
import { command as doctor } from "../../src/cli/doctor.ts";
import { command as run } from "../../src/cli/run.ts";
import { command as sweep } from "../../src/cli/sweep.ts";
import { checkPictures, readDataFile } from "../../src/data/samples.ts";
import { takeLock } from "../../src/patching/lock.ts";
import { expectRefusal, expectUserError, notice, noticeJson } from "./command-line.ts";

const root = mkdtempSync(join(tmpdir(), "notice-bad-"));
afterAll(() => rmSync(root, { recursive: true }));
const samples = "data/miniature/samples.csv";
const picture = "data/miniature/mit_states/images/red heart/1.jpg";
const text = "Is this heart red or blue?";

let files = 0;
function file(content: string | Uint8Array, ending = "txt"): string {
  const path = join(root, `${files++}.${ending}`);
  writeFileSync(path, content);
  return path;
}

describe("arguments", () => {
  test.for<[string, Command, string[], RegExp]>([
    ["an unknown option", run, ["m", "--imge", "x"], /unknown option --imge; nearest: --image; .*--help/],
    ["a name of JavaScript's own", run, ["m", "--constructor"], /unknown option --constructor/],
    ["an option without its value", run, ["m", "--image"], /--image needs a value: --image FILE/],
    ["an option in the place of a value", run, ["m", "--image", "--text", "x"], /--image needs a value: --image FILE/],
    ["an option given twice", run, ["m", "--top", "1", "--top", "2"], /--top is given twice/],
    ["a value for a switch", run, ["m", "--tokens=3"], /--tokens takes no value, got "3"/],
    ["a required option left out", capture, ["m", "--out", "x"], /needs --sites .*--help/],
    ["an argument left out", run, ["--image", "x", "--text", "y"], /got arguments none, expected MODEL/],
    ["an argument too many", doctor, ["twice"], /got arguments "twice", expected none/],
  ])("%s", ([, command, argv, message]) => expectUserError(() => readArguments("it", command, argv), message));

  const all = { task: "mit_states", data: samples, mode: "image", kind: "output", out: join(root, "never") };
  test.for<[string, Record<string, string>, RegExp]>([
    ["a task", { task: "mit_state" }, /--task: got "mit_state", expected facial_expressions or mit_states/],
    ["two tasks", { task: "mit_states,svo_probes" }, /--task: got "mit_states,svo_probes", expected/],
  ])("sweep refuses %s", ([, given, message]) => {
    const argv = Object.entries({ ...all, ...given }).flatMap(([name, value]) => [`--${name}`, value]);
    return expectUserError(
      () => sweep.run(readArguments("sweep", sweep, ["blip-mini", ...argv]), new AbortController().signal),
      message,
    );
  });
});

describe("data files", () => {
  const header = "task,clean_image_path,corrupt_image_path,clean_prompt,corrupt_prompt,correct_answer,incorrect_answer";
  const row = "mit_states,a.jpg,b.jpg,Is it red or blue?,Is it wet or dry?,red,blue";
  test.for<[string, string | Uint8Array, RegExp]>([
    [
      "without a column",
      `${header.replace("clean_prompt", "clean_promt")}\n${row}\n`,
      /has no column "clean_prompt"; nearest: "clean_promt"; expected clean_image_path/,
    ],
    ["with a column twice", `${header},task\n${row},x\n`, /has column "task" twice/],
    ["that is empty", "", /is empty, expected a header and rows/],
    ["with a header alone", `${header}\n`, /has no rows of task mit_states/],
    ["that is not UTF-8", Uint8Array.from([0x74, 0xff, 0xfe, 0x0a]), /is not UTF-8; save the file in that encoding/],
    ["with an open quote", `${header}\n${row.replace("a.jpg", '"a.jpg')}\n`, /is not a CSV file: .*[Qq]uote/],
    ["with a row too short", `${header}\n${row}\nmit_states,a.jpg\n`, /is not a CSV file: .*on line 3/],
    [
      "with an empty cell",
      `${header}\n${row}\n${row.replace("red,blue", ",blue")}\n`,
      /row 3: column "correct_answer" is empty/,
    ],
    [
      "with no incorrect answer",
      `${header}\n${row.replace(/,blue$/, ",")}\n`,
      /row 2: column "incorrect_answer" is empty/,
    ],
  ])("%s", ([, content, message]) => {
    const path = file(content, "csv");
    return expectUserError(() => readDataFile(path, "mit_states"), message);
  });

  test("with an unknown task, where none is asked for", () =>
    expectUserError(
      () => readDataFile(file(`${header}\n${row.replace("mit_states", "mit")}\n`, "csv")),
      /row 2: column "task" is "mit", expected facial_expressions, .*--task/,
    ));

  test("that is not there", () => expectUserError(() => readDataFile("no.csv"), /no\.csv: found no such file; check/));

  test("that names a picture which is not there", async () => {
    const path = file(`${header}\n${row}\n`, "csv");
    const data = await readDataFile(path, "mit_states");
    await expectUserError(
      () => checkPictures(data, data.rows),
      /row 2, column clean_image_path: found no picture at .*a\.jpg; paths are relative to the file's folder/,
    );
  });
});

describe("processes", () => {
  const input = { image: picture, text };
  const cells = [{ site: "text_encoder.encoder.layer.3.output", token: 1 }];
  const plan = { clean: input, corrupt: input, answers: ["red", "blue"], cells };
  const ask = ["run", "blip-mini", "--text", text, "--image"];
  const sweepArgs = (out: string, kind = "output", data = samples) => [
    "sweep",
    "blip-mini",
    "--task",
    "mit_states",
    "--data",
    data,
    "--mode",
    "image",
    "--kind",
    kind,
    "--samples",
    "1",
    "--out",
    out,
  ];
  const into = (kind: string, ...more: string[]) => [...sweepArgs(join(root, "never"), kind), ...more];

  /** A folder with a model of a kind that is not built. */
  function strangeModel(): string {
    const folder = mkdtempSync(join(root, "clip-"));
    writeFileSync(join(folder, "config.json"), '{"model_type":"clip","architectures":["CLIPModel"]}');
    return folder;
  }

  test.concurrent.for<[string, () => string[], RegExp]>([
    ["an unknown command", () => ["swep"], /unknown command "swep"; nearest: sweep; `notice --help` lists all/],
    ["a command of JavaScript's own", () => ["constructor"], /unknown command "constructor"; nearest/],
    ["an unknown option", () => [...ask, picture, "--tpo", "3"], /unknown option --tpo; nearest: --top/],
    [
      "a number that is none",
      () => [...ask, picture, "--top", "many"],
      /--top: got "many", expected a whole number of at least 1/,
    ],
    [
      "a model that is not there",
      () => ["sites", "weights/nothing"],
      /found no folder with a config\.json .*expected a folder/,
    ],
    [
      "a folder without config.json",
      () => ["run", "weights", ...ask.slice(2), picture],
      /model "weights": found no folder with a config\.json/,
    ],
    [
      "a model that is not built",
      () => ["run", strangeModel(), ...ask.slice(2), picture],
      /is clip \/ CLIPModel, expected blip \/ BlipForQuestionAnswering or llava \/ /,
    ],
    [
      "sites of a model that is not built",
      () => ["sites", strangeModel()],
      /is clip \/ CLIPModel, expected blip \/ BlipForQuestionAnswering or llava \/ /,
    ],
    [
      "weights that are cut",
      () => {
        const folder = join(root, "cut");
        cpSync("weights/miniature/blip", folder, { recursive: true });
        truncateSync(join(folder, "model.safetensors"), 4_000_000);
        return ["run", folder, ...ask.slice(2), picture];
      },
      /model\.safetensors: .*(cut short|bytes|whole|download)/,
    ],
    ["no picture", () => [...ask, "no.jpg"], /no\.jpg: found no such file; check the path/],
    [
      "a picture that is text",
      () => [...ask, file("no picture\n", "jpg")],
      /got text \("no picture\\n"\), expected a JPEG, PNG, GIF or WebP/,
    ],
    [
      "a drawing",
      () => [...ask, file('<svg xmlns="http://www.w3.org/2000/svg"/>', "svg")],
      /got an SVG drawing, expected .*; convert it to PNG/,
    ],
    [
      "capture without an input",
      () => ["capture", "blip-mini", "--sites", "logits", "--out", join(root, "x")],
      /expected --image FILE with --text TEXT, or --inputs FILE alone/,
    ],
    [
      "capture of an unknown site",
      () => [
        "capture",
        "blip-mini",
        "--image",
        picture,
        "--text",
        text,
        "--sites",
        "text_encoder.embedings",
        "--out",
        join(root, "x"),
      ],
      /site "text_encoder\.embedings" matches nothing .*nearest: text_encoder\.embeddings/,
    ],
    [
      "capture to nowhere",
      () => [
        "capture",
        "blip-mini",
        "--image",
        picture,
        "--text",
        text,
        "--sites",
        "logits",
        "--out",
        join(root, "no", "x"),
      ],
      /found no such place to write; check the path/,
    ],
    [
      "answers to a data file that is not there",
      () => ["dataset", "evaluate", "blip-mini", "--data", join(root, "none.csv"), "--out", join(root, "answers.csv")],
      /none\.csv: found no such file; check the path/,
    ],
    ["a plan that is not JSON", () => ["patch", "blip-mini", "--plan", file("{", "json")], /is not JSON \(.*\)/],
    [
      "a plan for another model",
      () => ["patch", "blip-mini", "--plan", file(JSON.stringify({ ...plan, model: "other" }), "json")],
      /is a plan for model "other", got MODEL "blip-mini"; use one name/,
    ],
    [
      "a sweep of a data file without a column",
      () => sweepArgs(join(root, "never"), "output", file("a,b\n1,2\n", "csv")),
      /has no column "clean_image_path"; nearest/,
    ],
    [
      "the report of a folder that is no run",
      () => ["report", root],
      /holds no run\.json, expected the folder of a run/,
    ],
  ])("%s", { timeout: 300_000 }, async ([, args, message]) =>
    expectRefusal(
      await notice(args(), { env: { NOTICE_ADAPTER: "none: it is refused before a device is opened" } }),
      message,
    ),
  );

  test.concurrent.for<[string, string[], RegExp]>([
    ["an unknown kind", into("outptu"), /kind "outptu": expected output, .*; nearest: output$/],
    [
      "heads of a kind without heads",
      into("output", "--heads", "all"),
      /--heads: none of the kinds output has heads; leave the option out/,
    ],
    [
      "a head too large",
      into("attention_block", "--heads", "0,4"),
      /--heads: got "0,4", expected all, or heads from 0 to 3/,
    ],
    ["a head left out", into("attention_block", "--heads", "0,,2"), /--heads: got "0,,2", expected all/],
    [
      "--balanced alone",
      into("output", "--balanced").filter((word) => !["--samples", "1"].includes(word)),
      /--balanced needs --samples N/,
    ],
    ["no folder", into("output").slice(0, -2), /needs --out RUN, or --dry-run/],
    ["an unknown defect", into("output", "--except", "D99"), /--except: got "D99", expected some of D4/],
  ])("a sweep with %s", { timeout: 300_000 }, async ([, args, message]) => expectRefusal(await notice(args), message));

  test.concurrent("an adapter that is none", async () => {
    const outcome = await notice([...ask, picture], { env: { NOTICE_ADAPTER: "nonsense" } });
    expectRefusal(outcome, /NOTICE_ADAPTER: got "nonsense", expected one of hardware, software, lavapipe, swiftshader/);
  });

  test.concurrent("a model larger than the memory", async () => {
    const outcome = await notice([...ask, picture], { env: { NOTICE_MEMORY: "5000000" } });
    expectRefusal(outcome, /weights need \d+ MiB on the device, of which 5 MiB may be used; take a float16/);
  });

  test.concurrent("an adapter that is not there", async ({ skip }) => {
    const outcome = await notice([...ask, picture], { env: { NOTICE_ADAPTER: "hardware" } });
    skip(outcome.code === 0, "this machine has a hardware adapter");
    expectRefusal(
      outcome,
      /NOTICE_ADAPTER=hardware: (found no adapter, expected a GPU driver|the system's adapter is)/,
    );
  });

  test("a run folder that is held, has other settings, or is damaged", { timeout: 300_000 }, async () => {
    const out = join(root, "run");
    await noticeJson(sweepArgs(out));

    const unlock = await takeLock(out);
    const held = await notice(sweepArgs(out));
    unlock();
    expect(held.stderr).toMatch(/process \d+ on .* has been writing to it since .*; wait for it, stop it, or choose/);
    expect(held.stderr).not.toContain("    at ");
    expect([held.code, held.stdout]).toEqual([2, ""]);

    const changed = await notice([...sweepArgs(out, "mlp_block"), "--direction", "noising"]);
    expect(changed.stderr).toMatch(
      /other settings \(stored -> now\):\n {2}kinds: \["output"\] -> \["mlp_block"\]\n {2}direction: "denoising" -> "noising"\ngive the stored settings/,
    );
    expect(changed.stderr).not.toContain("    at ");
    expect([changed.code, changed.stdout]).toEqual([2, ""]);

    const copy = join(root, "damaged");
    mkdirSync(copy);
    cpSync(join(out, "run.json"), join(copy, "run.json"));
    const log = readFileSync(join(out, "results.jsonl"), "utf8");
    writeFileSync(join(copy, "results.jsonl"), log.replace('"sample":', '"simple":'));
    expectRefusal(await notice(["report", copy]), /results\.jsonl: line 1 is damaged .*restore the file from a copy/);
  });
});
