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
    // As many as CI has cores: with three, phases that are counted in blocks pass before busy miners have acted in them.
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'shared', include: SHARED, isolate: false } },
      { extends: true, test: { name: 'alone', include: ['test/**/*.test.{ts,tsx}'], exclude: SHARED } },
    ],
  },
})
