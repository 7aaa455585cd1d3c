import { defineConfig } from 'vitest/config'

/** What computes all the time. `npm test` runs it beside the others, at a lower priority: there it takes the time that they spend waiting. */
const COMPUTING = [
  'test/tidy.test.ts',
  'test/{unit,property,fuzz,sim}/**/*.test.{ts,tsx}',
  'test/integration/{exactness*,supply,validator-journal}.test.ts',
]
/** They start processes, change the environment, or fill the memory and the only thread of theirs. */
const PROCESSES = ['test/cli/**/*.test.ts', 'test/contract/libp2p-*.test.ts']
/** Engines on software GPUs, whose threads wait for each other by spinning: beside other work they take ten times as long. */
const DRIVERS = ['test/unit/ml/engine-{webgpu,tfjs-webgpu}.test.ts']
/** Peers, nodes and clients in one process: they wait for each other, and for blocks. */
const MEETING = ['test/{contract,integration}/**/*.test.ts']

/** Files of the first two share processes, and so load the program once. */
export default defineConfig({
  test: {
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // As many as CI has cores: with three, phases that are counted in blocks pass before busy miners have acted in them.
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'drivers', include: DRIVERS } },
      // At a low priority a test takes several times its time.
      {
        extends: true,
        test: {
          name: 'computing',
          include: COMPUTING,
          exclude: DRIVERS,
          isolate: false,
          testTimeout: 400_000,
          hookTimeout: 400_000,
        },
      },
      {
        extends: true,
        test: { name: 'meeting', include: MEETING, exclude: [...COMPUTING, ...PROCESSES], isolate: false },
      },
      { extends: true, test: { name: 'processes', include: PROCESSES } },
    ],
  },
})
