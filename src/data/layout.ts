/** Where the originals keep their files, below the folder that the user names. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../models/errors.ts";
import type { Task } from "./sample.ts";

const inside: Readonly<Record<Task, readonly string[]>> = {
  facial_expressions: ["images/train", "train"],
  mit_states: ["images", "release_dataset/images"],
  svo_probes: [],
};

const described: Readonly<Record<Task, string>> = {
  facial_expressions: "images/train/<emotion>/*.jpg",
  mit_states: "images/<adjective> <noun>/*.jpg",
  svo_probes: "svo_probes.csv beside images/",
};

/** The task's folder, which is `data` or the folder of the task's name in it, and the folder of its pictures' folders. */
export function taskFolder(task: Task, data: string): { folder: string; pictures: string } {
  const folder = isFolder(join(data, task)) ? join(data, task) : data;
  if (!isFolder(folder)) throw new UserError(`${data}: found no such folder; expected ${described[task]} in it`);
  const pictures = inside[task].map((part) => join(folder, part)).find(isFolder);
  if (task === "svo_probes" ? existsSync(join(folder, "svo_probes.csv")) : pictures !== undefined)
    return { folder, pictures: pictures ?? join(folder, "images") };
  throw new UserError(`${folder}: does not hold task ${task}; expected ${described[task]}`);
}

const isFolder = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** Names in one order on every machine. */
const sorted = (names: string[]) => names.sort((a, b) => (a < b ? -1 : 1));

export const foldersIn = (folder: string): string[] =>
  sorted(readdirSync(folder).filter((name) => isFolder(join(folder, name))));

/** Paths of the pictures in one of its folders. */
export const picturesIn = (folder: string, name: string): string[] =>
  sorted(readdirSync(join(folder, name)).filter((file) => /\.(?:jpe?g|png|gif|webp)$/i.test(file))).map((file) =>
    join(folder, name, file),
  );
