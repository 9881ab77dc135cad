/** Progress on stderr: one line that is rewritten on a terminal, else a line every ten seconds. */
import type { SweepProgress } from "../patching/run.ts";

export function progressPrinter(stream: NodeJS.WriteStream = process.stderr) {
  const terminal = stream.isTTY === true;
  let last = 0;
  return {
    show(text: string, final = false): void {
      const now = performance.now();
      if (terminal) stream.write(`\r\u001b[2K${text}${final ? "\n" : ""}`);
      else if (final || last === 0 || now - last > 10_000) stream.write(`${text}\n`);
      else return;
      last = now;
    },
  };
}

export function sweepLine({ done, total, failed, cells, seconds }: SweepProgress, started: number): string {
  const rate = seconds > 0 ? cells / seconds : 0;
  const perUnit = done > started ? seconds / (done - started) : 0;
  const left = Math.round(perUnit * (total - done));
  const failures = failed > 0 ? `, ${failed} failed` : "";
  return `${done} of ${total} sweeps${failures}, ${Math.round(rate)} cells/s, ${left} s left`;
}
