import { defineConfig } from 'vitest/config'

/** Whose files share a process, and so load the program once. The others start processes, change the environment or measure memory. */
const SHARED = [
  'test/unit/**/*.test.ts',
  'test/property/**/*.test.ts',
  'test/fuzz/**/*.test.ts',
  'test/sim/**/*.test.ts',
]

export default defineConfig({
  test: {
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // One more than CI has cores: tests of processes wait for blocks about two thirds of their time.
    maxWorkers: 3,
    projects: [
      { extends: true, test: { name: 'shared', include: SHARED, isolate: false } },
      { extends: true, test: { name: 'alone', include: ['test/**/*.test.{ts,tsx}'], exclude: SHARED } },
    ],
  },
})
