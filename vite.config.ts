import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: "test/built.ts",
    pool: "forks",
    maxWorkers: 2,
    include: ["test/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    env: { NOTICE_ADAPTER: process.env.NOTICE_ADAPTER ?? "swiftshader" },
  },
});
