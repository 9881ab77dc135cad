/**
 * rapidfuzz's WRatio (3.7.0, no preprocessing): how alike two texts are, from 0 to 100.
 * A text is a row of Unicode code points; a token is what stands between white space.
 */

type Points = readonly number[];

const points = (text: string): Points => Array.from(text, (letter) => letter.codePointAt(0)!);

export function wRatio(a: string, b: string): number {
  const [x, y] = [points(a), points(b)];
  if (x.length === 0 || y.length === 0) return 0;
  const lengths = Math.max(x.length, y.length) / Math.min(x.length, y.length);
  const whole = ratio(x, y);
  if (lengths < 1.5) return Math.max(whole, tokenRatio(a, b) * 0.95);
  const scale = lengths < 8 ? 0.9 : 0.6;
  return Math.max(whole, partialRatio(x, y) * scale, partialTokenRatio(a, b) * 0.95 * scale);
}

/** The best word for `token` at more than `least`, the first of equals, by its index; -1 for none. */
export function bestWord(token: string, words: readonly string[], least: number, score = wRatio): number {
  const same = words.indexOf(token);
  if (same !== -1) return same;
  let best = -1;
  let most = least;
  words.forEach((word, i) => {
    const now = score(token, word);
    if (now > most) [best, most] = [i, now];
  });
  return best;
}

/** Longest common subsequence against the sum of the lengths. */
function ratio(x: Points, y: Points): number {
  const sum = x.length + y.length;
  if (sum === 0) return 100;
  return (1 - (sum - 2 * common(x, y)) / sum) * 100;
}

/** Length of the longest common subsequence. */
function common(x: Points, y: Points): number {
  const row = new Array<number>(y.length + 1).fill(0);
  for (const point of x) {
    let diagonal = 0;
    for (let j = 1; j <= y.length; j++) {
      const above = row[j]!;
      row[j] = point === y[j - 1] ? diagonal + 1 : Math.max(above, row[j - 1]!);
      diagonal = above;
    }
  }
  return row[y.length]!;
}

/** The shorter text against every window of the longer one; texts of equal length are tried both ways. */
function partialRatio(x: Points, y: Points): number {
  const [short, long] = x.length <= y.length ? [x, y] : [y, x];
  const best = bestWindow(short, long);
  return short.length === long.length && best !== 100 ? Math.max(best, bestWindow(long, short)) : best;
}

/** Windows as long as `short`, and the shorter ones at both ends of `long`. */
function bestWindow(short: Points, long: Points): number {
  if (short.length === 0) return long.length === 0 ? 100 : 0;
  let best = 0;
  for (let end = 1; end < long.length + short.length; end++) {
    const window = long.slice(Math.max(0, end - short.length), end);
    best = Math.max(best, ratio(short, window));
  }
  return best;
}

const tokens = (text: string): string[] => text.split(space).filter((word) => word !== "");

/** What Python's str.split takes for white space. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the separators U+001C to U+001F are white space to Python
const space = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/u;

/** Tokens sorted by code point, and what they share, each word once. */
function compare(a: string, b: string) {
  const byPoint = (x: string, y: string) => Buffer.from(x, "utf8").compare(Buffer.from(y, "utf8"));
  const [all, others] = [tokens(a).sort(byPoint), tokens(b).sort(byPoint)];
  const [left, right] = [new Set(all), new Set(others)];
  return {
    a: all,
    b: others,
    shared: [...left].filter((word) => right.has(word)),
    onlyA: [...left].filter((word) => !right.has(word)),
    onlyB: [...right].filter((word) => !left.has(word)),
  };
}

const joined = (words: readonly string[]): Points => points(words.join(" "));

/** The better of the ratio of sorted tokens and the ratio of token sets. */
function tokenRatio(left: string, right: string): number {
  const { a, b, shared, onlyA, onlyB } = compare(left, right);
  if (shared.length > 0 && (onlyA.length === 0 || onlyB.length === 0)) return 100;
  const [sect, restA, restB] = [joined(shared).length, joined(onlyA), joined(onlyB)];
  const gap = sect === 0 ? 0 : 1;
  const lengthA = sect + gap + restA.length;
  const lengthB = sect + gap + restB.length;
  const apart = restA.length + restB.length - 2 * common(restA, restB);
  const scores = [ratio(joined(a), joined(b)), ofDistance(apart, lengthA + lengthB)];
  if (sect > 0) {
    scores.push(ofDistance(gap + restA.length, sect + lengthA), ofDistance(gap + restB.length, sect + lengthB));
  }
  return Math.max(...scores);
}

const ofDistance = (distance: number, sum: number): number => (sum === 0 ? 100 : 100 - (100 * distance) / sum);

/** 100 where a word is shared, else the better of the sorted words and of the words that differ. */
function partialTokenRatio(left: string, right: string): number {
  const { a, b, shared, onlyA, onlyB } = compare(left, right);
  if (shared.length > 0) return 100;
  const sorted = partialRatio(joined(a), joined(b));
  if (a.length === onlyA.length && b.length === onlyB.length) return sorted;
  return Math.max(sorted, partialRatio(joined(onlyA), joined(onlyB)));
}
