import { expect, test } from "vitest";
import { aroundOr, readParticiples } from "../../src/data/participle.ts";
import { loadWords } from "../../src/data/words.ts";

const participle = readParticiples(await loadWords("participles.json"));

/** Verbs of photographs, as a dictionary has their participles. */
const verbs =
  `lie lying, tie tying, die dying, untie untying, see seeing, agree agreeing, flee fleeing, dye dyeing, eye eyeing,
canoe canoeing, shoe shoeing, be being, ride riding, skate skating, use using, argue arguing, dance dancing, drive driving,
smile smiling, write writing, glue gluing, make making, leave leaving, singe singeing, panic panicking, picnic picnicking,
mimic mimicking, traffic trafficking, sync syncing, run running, swim swimming, grin grinning, sit sitting, hug hugging,
cut cutting, put putting, hop hopping, chop chopping, jog jogging, skip skipping, shop shopping, dig digging, win winning,
bat batting, bet betting, get getting, nod nodding, pet petting, rub rubbing, spin spinning, step stepping, stop stopping,
swat swatting, trim trimming, wrap wrapping, knit knitting, quit quitting, squat squatting, ski skiing, kidnap kidnapping,
program programming, begin beginning, forget forgetting, admit admitting, refer referring, babysit babysitting,
eat eating, play playing, open opening, visit visiting, listen listening, travel traveling, offer offering, enter entering,
water watering, read reading, look looking, sleep sleeping, rain raining, row rowing, sew sewing, fix fixing, box boxing,
fly flying, try trying, carry carrying, buy buying, jump jumping, hold holding, stand standing, climb climbing, kiss kissing,
watch watching, wash washing, push pushing, throw throwing, draw drawing, go going, do doing, bring bringing, sing singing,
swing swinging, ring ringing, feed feeding, need needing, speed speeding, wed wedding, saw sawing, lay laying, gas gassing`
    .split(",")
    .map((pair) => pair.trim().split(" ") as [string, string]);

test(`${verbs.length} base forms, and their participles as they are`, () => {
  expect(verbs.map(([base]) => [base, participle(base)])).toEqual(verbs);
  expect(verbs.map(([, ing]) => participle(ing))).toEqual(verbs.map(([, ing]) => ing));
});

test.for([
  ["rides", "riding"],
  ["watches", "watching"],
  ["goes", "going"],
  ["carries", "carrying"],
  ["ties", "tying"],
  ["runs", "running"],
  ["sits", "sitting"],
  ["ran", "running"],
  ["sat", "sitting"],
  ["ridden", "riding"],
  ["held", "holding"],
  ["stood", "standing"],
  ["skated", "skating"],
  ["stopped", "stopping"],
  ["carried", "carrying"],
  ["died", "dying"],
  ["agreed", "agreeing"],
  ["skied", "skiing"],
  ["fed", "feeding"],
] as const)("the base form comes first: %s, %s", ([form, expected]) => {
  expect(participle(form)).toBe(expected);
});

test("words before and after `or` in a prompt, marks kept", () => {
  expect(aroundOr("is man swim or ride dog?", participle, "corrected")).toBe("is man swimming or riding dog?");
  expect(aroundOr("is man sit or run?", participle, "corrected")).toBe("is man sitting or running?");
  expect(aroundOr("Does the man sit or run?", participle, "corrected")).toBe("Does the man sit or run?");
  expect(aroundOr("is man sitting?", participle, "corrected")).toBe("is man sitting?");
});

test("D22: the first place where the letters stand, be it inside a word", () => {
  const prompt = "is babysitter sit or run brunch?";
  expect(aroundOr(prompt, participle, "upstream")).toBe("is babysittingter sit or running brunch?");
  expect(aroundOr(prompt, participle, "corrected")).toBe("is babysitter sitting or running brunch?");
});
