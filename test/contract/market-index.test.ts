import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { openLevelStore } from '../../src/app/store/level-store.ts'
import { createSimStore } from '../sim/store.ts'
import { describeMarketIndex } from './market-index-suite.ts'

const root = await mkdtemp(join(tmpdir(), 'dllm-index-'))
afterAll(() => rm(root, { recursive: true }))

let counter = 0
describeMarketIndex('level', () => openLevelStore(join(root, `store-${++counter}`)))
describeMarketIndex('simulated', async () => createSimStore(1).open())
