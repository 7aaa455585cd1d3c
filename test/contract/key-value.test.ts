import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { openLevelStore } from '../../src/app/store/level-store.ts'
import { createSimStore } from '../sim/store.ts'
import { describeKeyValueStore } from './key-value-suite.ts'

const root = await mkdtemp(join(tmpdir(), 'dllm-store-'))
afterAll(() => rm(root, { recursive: true }))

let counter = 0
describeKeyValueStore('level', {
  open: () => openLevelStore(join(root, `store-${++counter}`)),
  reopen: () => openLevelStore(join(root, `store-${counter}`)),
})

let simulated = createSimStore(1)
describeKeyValueStore('simulated', {
  async open() {
    simulated = createSimStore(1)
    return simulated.open()
  },
  reopen: async () => simulated.open(),
})
