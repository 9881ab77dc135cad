import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { openGpu } from "#gpu";
import { add } from "../../src/kernels/add.ts";
import { sizeClass } from "../../src/kernels/arena.ts";
import { AdapterError, DeviceError, MemoryError } from "../../src/kernels/errors.ts";
import type { Gpu } from "../../src/kernels/gpu.ts";
import { layerNorm } from "../../src/kernels/layer-norm.ts";
import { matmul } from "../../src/kernels/matmul.ts";
import { emptyMatrix, writeRows } from "../../src/kernels/matrix.ts";
import type { Shader } from "../../src/kernels/shader.ts";
import { softmax } from "../../src/kernels/softmax.ts";
import { bitsOf, compute, devices, noise } from "./device.ts";

afterEach(() => vi.unstubAllEnvs());

describe.each(devices)("tier $tier", ({ gpu }) => {
  test("the same forward again takes no new memory and gives the same bits", async () => {
    const weight = emptyMatrix(gpu, "weight", 64, 32, "float32");
    writeRows(gpu, weight, 0, bitsOf(noise(64 * 32, 2)));
    const forward = () =>
      compute(gpu, () => {
        const x = gpu.upload("x", [1, 13, 32], noise(13 * 32));
        const wide = matmul(gpu, "wide", x, weight);
        const ones = gpu.upload("ones", [64], new Float32Array(64).fill(1));
        return softmax(gpu, "probs", layerNorm(gpu, "normal", add(gpu, "twice", wide, wide), ones, ones, 1e-5));
      });
    const first = await forward();
    const { bytes } = gpu;
    for (let i = 0; i < 200; i++) {
      const again = await forward();
      expect(gpu.bytes).toBe(bytes);
      if (i % 50 === 0) expect(again).toEqual(first);
    }
  });

  test("bytes that cannot be read leave the way free for others", async () => {
    const { memory } = gpu.keep(gpu.tensor("streamed", [64]));
    const bytes = new Uint8Array(noise(64).buffer);
    const stream = (read: (into: Uint8Array) => Promise<void>) => gpu.stream({ memory, offset: 0 }, 256, read);
    for (let i = 0; i < 4; i++) {
      await expect(stream(() => Promise.reject(new Error("disk")))).rejects.toThrow("disk");
      await stream(async (into) => into.set(bytes));
    }
    const streamed = { label: "streamed", shape: [64], memory };
    expect(await gpu.read(streamed)).toEqual(noise(64));
    gpu.release(streamed);
  });

  test("a frame gives back what it took, but not its result", async () => {
    const kept = gpu.frame(() => {
      gpu.tensor("lost", [1000]);
      return { inner: [gpu.upload("kept", [1000], noise(1000))] };
    }).inner[0]!;
    const others = gpu.frame(() =>
      Array.from({ length: 4 }, () => gpu.upload("other", [1000], new Float32Array(1000))),
    );
    expect(others.map(({ memory }) => memory.id)).not.toContain(kept.memory.id);
    expect(await gpu.read(kept)).toEqual(noise(1000));
    gpu.release(kept, ...others);
    expect(gpu.frame(() => gpu.tensor("again", [1000]).memory.id)).toBe(
      Math.min(...[kept, ...others].map(({ memory }) => memory.id)),
    );
  });

  test("the result of an inner frame lives as long as the outer one", () => {
    let inner = gpu.tensor("none", [1]);
    gpu.release(inner);
    gpu.frame(() => {
      inner = gpu.frame(() => gpu.tensor("inner", [1000]));
      expect(gpu.tensor("beside", [1000]).memory.id).not.toBe(inner.memory.id);
    });
    const ids = gpu.frame(() =>
      [gpu.tensor("first", [1000]), gpu.tensor("second", [1000])].map(({ memory }) => memory.id),
    );
    expect(ids).toContain(inner.memory.id);
  });

  test("the parts of a tensor lie in its memory, which returns with the last of them", async () => {
    const values = noise(3 * 64);
    const whole = gpu.upload("whole", [3, 8, 8], values);
    const { id } = whole.memory;
    const parts = gpu.split(whole, ["a", "b", "c"]);
    for (const [i, part] of parts.entries()) {
      expect(part.shape).toEqual([8, 8]);
      expect(await gpu.read(part)).toEqual(values.slice(64 * i, 64 * (i + 1)));
    }
    gpu.write(parts[1]!.memory, 4, new Float32Array([7]));
    expect((await gpu.read(parts[1]!))[1]).toBe(7);
    expect(await gpu.read(parts[2]!)).toEqual(values.slice(128));
    const lends = () => gpu.frame(() => gpu.tensor("other", [3, 8, 8]).memory.id) === id;
    gpu.release(parts[0]!, parts[2]!);
    expect(lends()).toBe(false);
    gpu.release(parts[1]!, parts[1]!);
    expect(lends()).toBe(true);
  });

  test("a frame keeps the memory of a part that it returns", async () => {
    const values = noise(2 * 64);
    const kept = gpu.frame(() => gpu.split(gpu.upload("whole", [2, 64], values), ["a", "b"])[1]!);
    const other = gpu.frame(() => gpu.upload("other", [2, 64], new Float32Array(128)));
    expect(await gpu.read(kept)).toEqual(values.slice(64));
    gpu.release(kept, other);
    expect(() => gpu.split(kept, ["c"])).toThrow("arena: c are no parts of memory that is lent in one piece");
  });

  test("a frame that throws gives everything back", () => {
    gpu.frame(() => {
      gpu.tensor("warm", [5000]);
    });
    const { bytes } = gpu;
    const fail = () =>
      gpu.frame(() => {
        gpu.tensor("lost", [5000]);
        throw new Error("no");
      });
    for (let i = 0; i < 3; i++) expect(fail).toThrow("no");
    expect(gpu.bytes).toBe(bytes);
  });

  test("counts nanoseconds of the device", async () => {
    const time = await gpu.time(() => gpu.frame(() => softmax(gpu, "y", gpu.tensor("x", [100, 100]))));
    expect(time).toBeGreaterThan(0);
  });

  test("refuses values that do not fit the shape", () => {
    expect(() => gpu.frame(() => gpu.upload("x", [3], noise(2)))).toThrowErrorMatchingInlineSnapshot(
      `[Error: upload x: got 2 words, expected 3]`,
    );
  });
});

const open = (): Promise<Gpu> => openGpu({ tier: "B", toggles: "safe" });

test("memory beyond the budget is refused by name before it is taken", async () => {
  vi.stubEnv("NOTICE_MEMORY", "4194304");
  const gpu = await open();
  gpu.tensor("image", [700_000]);
  expect(() => gpu.tensor("vision_model.encoder", [3, 577, 768])).toThrowErrorMatchingInlineSnapshot(
    `[MemoryError: vision_model.encoder needs 6 MiB, but 3 MiB of the 4 MiB that this run may use are taken; use fewer cells at once, or raise NOTICE_MEMORY (in bytes)]`,
  );
  expect(() => gpu.tensor("vision_model.encoder", [3, 577, 768])).toThrow(MemoryError);
  expect(gpu.bytes).toBeLessThan(4_194_304);
  gpu.close();
});

test("memory that is lent to nobody is given up before any is refused, and what was recorded on it is made anew", async () => {
  vi.stubEnv("NOTICE_MEMORY", "4194304");
  const gpu = await open();
  const recorder = gpu.recorder();
  const x = gpu.upload("x", [200_000], noise(200_000));
  const double = () => recorder.run("double", [x], () => add(gpu, "sum", x, x));
  const first = double();
  const expected = await gpu.read(first);
  gpu.release(first);
  const { bytes } = gpu;
  const other = gpu.tensor("other", [500_000]);
  expect(bytes + 2_000_000).toBeGreaterThan(4_194_304);
  expect(gpu.bytes).toBeLessThanOrEqual(4_194_304);
  gpu.release(other);
  expect(await gpu.read(double())).toEqual(expected);
  gpu.close();
});

test("a tensor beyond what the adapter binds is refused by name", async () => {
  const gpu = await open();
  expect(() => gpu.tensor("logits", [gpu.info.maxBindingBytes])).toThrow(
    /^logits needs [\d,]+ MiB in one piece, this adapter binds at most [\d,]+ MiB; use fewer rows at once$/,
  );
  gpu.close();
});

test.for([
  ["NOTICE_ADAPTER", "nonsense"],
  ["NOTICE_TIER", "C"],
  ["NOTICE_MEMORY", "4GB"],
] as const)("%s=%s is refused", async ([name, value]) => {
  vi.stubEnv(name, value);
  const error = await openGpu().catch((error: unknown) => error);
  expect(error).toBeInstanceOf(AdapterError);
  expect(`${name}=${value}: ${(error as Error).message}`).toMatchSnapshot();
});

test("a shader that does not compile fails the run or the next read", async () => {
  const gpu = await open();
  const broken: Shader<never, object, never> = {
    name: "broken",
    bindings: [],
    params: [],
    code: { plain: "fn main() { let x: u32 = 1.5; }" },
  };
  const x = gpu.upload("x", [4], noise(4));
  const attempt = async () => {
    gpu.run(broken, {}, {}, {}, 1);
    await gpu.read(x);
  };
  await expect(attempt()).rejects.toThrow(DeviceError);
  await expect(gpu.read(x)).rejects.toThrow(/^gpu .+: /);
  gpu.close();
});

test("the process ends by itself, with code 0, though nothing is closed", () => {
  const code = `
    import { openGpu } from ${JSON.stringify(new URL("../../src/kernels/gpu.node.ts", import.meta.url).href)};
    const gpu = await openGpu();
    const x = gpu.upload("x", [3], new Float32Array([1, 2, 3]));
    console.log((await gpu.read(x)).join());`;
  const child = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", code], {
    encoding: "utf8",
    timeout: 60_000,
  });
  expect(child).toMatchObject({ status: 0, stdout: "1,2,3\n" });
});

describe("sizeClass", () => {
  const bytes = fc.integer({ min: 0, max: 2 ** 40 });

  test("holds what it is for and wastes a fifth at most", () => {
    fc.assert(fc.property(bytes, (b) => sizeClass(b) >= b && (b < 256 || sizeClass(b) - b <= sizeClass(b) / 5)));
  });

  test("is its own class, in whole words", () => {
    fc.assert(fc.property(bytes, (b) => sizeClass(sizeClass(b)) === sizeClass(b) && sizeClass(b) % 4 === 0));
  });

  test("grows with the size", () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => a <= b === sizeClass(a) <= sizeClass(b) || sizeClass(a) === sizeClass(b)),
    );
  });
});
