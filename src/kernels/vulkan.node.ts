/** The Vulkan loader of the system, or the one that the optional dependency `@sparticuz/chromium` carries with SwiftShader. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { AdapterError } from "./errors.ts";

export function noAdapter(who: string): AdapterError {
  return new AdapterError(
    `${who}: found no adapter, expected a GPU driver with Vulkan, Mesa's lavapipe 24 or newer, or the SwiftShader of the ` +
      "npm package @sparticuz/chromium; run `npm install` without --omit=optional, or install a driver",
  );
}

/**
 * Unpacks SwiftShader once into the temporary folder and loads its Vulkan loader into this process, where Dawn finds it.
 * Must happen before Dawn first looks for Vulkan.
 */
export function loadSwiftShader(): void {
  const archive = swiftShaderArchive();
  if (!archive) throw noAdapter("swiftshader");
  const packed = readFileSync(archive);
  const folder = join(tmpdir(), `notice-swiftshader-${createHash("sha256").update(packed).digest("hex").slice(0, 12)}`);
  if (!existsSync(folder)) unpack(brotliDecompressSync(packed), folder);
  const driver = join(folder, "vk_swiftshader_icd.json");
  process.env.VK_DRIVER_FILES = driver;
  process.env.VK_ICD_FILENAMES = driver;
  process.env.XDG_RUNTIME_DIR ??= folder;
  if (!loadLibrary(join(folder, "libvulkan.so.1"))) throw noAdapter(`swiftshader in ${folder}`);
}

/** Where Linux has no Vulkan loader, Dawn would find nothing and say so at length. Elsewhere it may have other ways. */
export const hasVulkanLoader = (): boolean => process.platform !== "linux" || loadLibrary("libvulkan.so.1");

/** Loads a shared library for the whole process; false where there is none, or a broken one. */
function loadLibrary(name: string): boolean {
  const { RTLD_NOW, RTLD_GLOBAL } = constants.dlopen as { RTLD_NOW: number; RTLD_GLOBAL: number };
  const RTLD_NODELETE = 0x1000;
  try {
    process.dlopen({ exports: {} }, name, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
  } catch (error) {
    // A library that is no Node addon loads and stays loaded, but Node says that it did not register itself.
    return String(error).includes("did not self-register");
  }
  return true;
}

function swiftShaderArchive(): string | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve("@sparticuz/chromium");
    for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
      const archive = join(folder, "bin", "swiftshader.tar.br");
      if (existsSync(archive)) return archive;
    }
  } catch {
    // An optional dependency may be missing.
  }
  return undefined;
}

/** A plain tar of a few files; complete or not there, also with several processes at it. */
function unpack(tar: Buffer, folder: string): void {
  const half = `${folder}.${process.pid}`;
  mkdirSync(half, { recursive: true });
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const name = tar.toString("utf8", at, tar.indexOf(0, at));
    const length = Number.parseInt(tar.toString("utf8", at + 124, at + 136), 8);
    const file = name.split("/").pop()!;
    if (file !== "" && length > 0)
      writeFileSync(join(half, file), tar.subarray(at + 512, at + 512 + length), { mode: 0o755 });
    at += 512 + Math.ceil(length / 512) * 512;
  }
  try {
    renameSync(half, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
}
