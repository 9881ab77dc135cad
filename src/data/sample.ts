/** What a sample is, whichever file it comes from. */

export const tasks = ["facial_expressions", "mit_states", "svo_probes"] as const;
export type Task = (typeof tasks)[number];

/** A pair of pictures and a pair of prompts; paths are ready to be opened. */
export interface Sample {
  readonly task: Task;
  readonly cleanImage: string;
  readonly corruptImage: string;
  readonly cleanPrompt: string;
  readonly corruptPrompt: string;
  readonly correctAnswer: string;
  readonly incorrectAnswer: string;
  /** What the model answered to the clean run, where the file says so. */
  readonly generatedText?: string;
  /** Words with a role of their own, e.g. `{ noun: "heart" }`. */
  readonly roles: Readonly<Record<string, string>>;
}
