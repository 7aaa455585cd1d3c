import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { gpuFinding } from '../../../../src/app/doctor/gpu.ts'
import { type ChosenGpu, chooseGpus } from '../../../../src/app/gpu/choose-gpus.ts'
import { gpuFlagOf } from '../../../../src/app/gpu/gpu-flag.ts'
import type { ListedGpu } from '../../../../src/app/gpu/list-gpus.ts'
import { shareOut } from '../../../../src/app/gpu/mine-on-gpus.ts'
import { gpuReadings, nvidiaReadings, readingOf } from '../../../../src/app/gpu/readings.ts'
import { verdictOf } from '../../../../src/app/gpu/tell-gpus.ts'
import { openModelStore } from '../../../../src/app/model-store.ts'
import { GPU_LIMITS } from '../../../../src/base/limits.ts'

const GIB = 1024 ** 3
const folder = mkdtempSync(join(tmpdir(), 'dllm-gpus-'))
afterAll(() => rmSync(folder, { recursive: true }))

interface Change {
  readonly bufferBytesMax?: number
  readonly isSoftware?: boolean
  readonly reading?: Partial<ListedGpu['reading']>
  readonly refused?: ListedGpu['refused']
}

function gpu(index: number, change: Change = {}): ListedGpu {
  const { isSoftware = false, bufferBytesMax = 2 * GIB, reading, refused } = change
  const unknown = { name: undefined, memoryBytes: undefined, memoryUsedBytes: undefined, load: undefined }
  return {
    ...{ index, name: `card ${index}`, backend: 'vulkan' },
    found: {
      ...{ vendor: 'nvidia', architecture: 'hopper', driver: 'driver', isSoftware, features: [], hasPackedDot: true },
      ...{ subgroupSizeMin: 32, subgroupSizeMax: 32, bufferBytesMax, bindingBytesMax: 2 * GIB },
      ...{ workgroupThreadsMax: 256, workgroupBytesMax: 32_768 },
    },
    ...(refused === undefined ? {} : { refused }),
    reading: reading && { vendor: 'nvidia', ...unknown, celsius: undefined, ...reading },
  }
}

describe('--gpu', () => {
  test.each([
    [undefined, 'none'],
    ['none', 'none'],
    ['list', 'list'],
    ['0', [0]],
    ['2,0', [2, 0]],
  ])('%s means %j', (text, expected) => expect(gpuFlagOf(text)).toEqual(expected))

  const tooMany = Array.from({ length: GPU_LIMITS.cardsMax + 1 }, (_, index) => index).join(',')
  test.each(['', 'all', '-1', '0,0', '0,', '1.5', '1e1', '9999', '0 1', tooMany])('refuses "%s"', (text) => {
    expect(() => gpuFlagOf(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
})

describe('a miner takes', () => {
  test.each([
    [
      'what is free, if that can be read',
      gpu(0, { reading: { memoryBytes: 20 * GIB, memoryUsedBytes: 10 * GIB } }),
      9 * GIB,
    ],
    ['all, if nobody tells what is used', gpu(0, { reading: { memoryBytes: 20 * GIB } }), 18 * GIB],
    ['one buffer at the least', gpu(0), 2 * GIB],
    ['no more than 4 GiB by guess, whatever its driver says', gpu(0, { bufferBytesMax: 1024 * GIB }), 4 * GIB],
    ['the memory of the machine for a driver on the processor', gpu(0, { isSoftware: true }), undefined],
  ])('for memory %s', (_what, listed, bytes) => {
    expect(chooseGpus([listed], { indexes: [0], allowSoftware: true })[0]!.memoryBytes).toBe(bytes)
  })

  test('GPUs in the order in which they were named', () => {
    const chosen = chooseGpus([gpu(0), gpu(1), gpu(2)], { indexes: [2, 0], allowSoftware: false })
    expect(chosen.map(({ index }) => index)).toEqual([2, 0])
    expect(chosen[0]!.words).toBe(
      'GPU 2 is card 2. Its memory cannot be read and is counted as 2.0 GiB; say how much it has with --memory-mib.',
    )
  })

  const refused = { code: 'GPU_NOT_EXACT', message: 'Other numbers.' }
  test.each([
    ['no GPU', [], 'GPU_NO_ADAPTER'],
    ['a number that there is not', [gpu(0)], 'GPU_OUT_OF_RANGE'],
    ['a driver on the processor', [gpu(0), gpu(1, { isSoftware: true })], 'GPU_ONLY_SOFTWARE'],
    ['one that was refused', [gpu(0), gpu(1, { refused })], 'GPU_NOT_EXACT'],
  ])('not %s', (_what, gpus, code) => {
    expect(() => chooseGpus(gpus, { indexes: [1], allowSoftware: false })).toThrow(expect.objectContaining({ code }))
  })
})

test.each([
  ['a GPU', gpu(1), false, /^Usable: `dllm mine --gpu 1`\./],
  ['a driver on the processor', gpu(1, { isSoftware: true }), false, /--allow-software-gpu/],
  ['such a driver, allowed', gpu(1, { isSoftware: true }), true, /^Usable: `dllm mine --gpu 1 --allow-software-gpu`/],
  ['a refused one', gpu(1, { refused: { code: 'GPU_NO_DEVICE', message: 'No.' } }), true, /^No\.$/],
])('the list says of %s what would be', (_what, listed, allowSoftware, words) => {
  expect(verdictOf(listed, allowSoftware)).toMatch(words)
})

test.each([
  [
    'a GPU',
    [gpu(0)],
    'ok',
    /^GPU 0, card 0, computes the same numbers .* webgpu with `dllm mine --gpu 0`, (native, )?wasm, reference\.$/,
  ],
  ['a GPU beside a driver on the processor', [gpu(0, { isSoftware: true }), gpu(1)], 'ok', /^GPU 1, /],
  [
    'such a driver alone',
    [gpu(0, { isSoftware: true })],
    'ok',
    /^There is no GPU; card 0 .* choice: (native, )?wasm, reference\.$/,
  ],
  ['nothing', [], 'ok', /^There is no GPU within reach\./],
  [
    'a refused GPU',
    [gpu(0, { refused: { code: 'GPU_NOT_EXACT', message: 'No.' } })],
    'warn',
    /^The GPU card 0 cannot be/,
  ],
] as const)('doctor says of %s which engine is chosen', (_what, gpus, status, summary) => {
  expect(gpuFinding(gpus)).toMatchObject({ status, summary: expect.stringMatching(summary) })
})

describe('segments of several GPUs', () => {
  const model = openModelStore({ home: folder }).find('genesis')
  const chosen = (...sizes: number[]): ChosenGpu[] =>
    sizes.map((memoryBytes, index) => ({ index, name: '', isSoftware: false, memoryBytes, words: '' }))
  const runsOf = (gpus: ChosenGpu[], firstSegment: number, lastSegment: number) =>
    shareOut(gpus, { model, firstSegment, lastSegment }).map((share) => [share.firstSegment, share.lastSegment])

  test.each([
    ['one has all', chosen(1), 0, 6, [[0, 6]]],
    [
      'two of one size have half each',
      chosen(1, 1),
      0,
      6,
      [
        [0, 3],
        [3, 6],
      ],
    ],
    [
      'the larger has more',
      chosen(1, 4),
      0,
      6,
      [
        [0, 1],
        [1, 6],
      ],
    ],
    [
      'each has one at the least',
      chosen(1_000, 1, 1),
      2,
      5,
      [
        [2, 3],
        [3, 4],
        [4, 5],
      ],
    ],
    [
      'of more than segments the last have none',
      chosen(1, 1, 1),
      4,
      6,
      [
        [4, 5],
        [5, 6],
      ],
    ],
  ])('%s', (_what, gpus, first, last, expected) => expect(runsOf(gpus, first, last)).toEqual(expected))
})

describe('readings', () => {
  test('of NVIDIA come by lines, and what is no number is unknown', () => {
    const text = 'NVIDIA H200, 143771, 512, 37, 41\nNVIDIA T4, [N/A], [Unknown Error], 0, -\n\nnonsense\na,b\n'
    expect(nvidiaReadings(text)).toEqual([
      {
        ...{
          vendor: 'nvidia',
          name: 'NVIDIA H200',
          memoryBytes: 143_771 * 1_048_576,
          memoryUsedBytes: 512 * 1_048_576,
        },
        ...{ load: 37, celsius: 41 },
      },
      {
        ...{ vendor: 'nvidia', name: 'NVIDIA T4', memoryBytes: undefined, memoryUsedBytes: undefined },
        ...{ load: 0, celsius: undefined },
      },
    ])
  })

  test('of AMD come from files of the kernel, and other cards are left out', async () => {
    const device = join(folder, 'card2', 'device')
    mkdirSync(join(device, 'hwmon', 'hwmon7'), { recursive: true })
    mkdirSync(join(folder, 'card10', 'device'), { recursive: true })
    mkdirSync(join(folder, 'card2-HDMI-A-1'))
    writeFileSync(join(folder, 'card10', 'device', 'vendor'), '0x8086\n')
    const files = { vendor: '0x1002', mem_info_vram_total: '17163091968', gpu_busy_percent: '12' }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(device, name), `${text}\n`)
    writeFileSync(join(device, 'hwmon', 'hwmon7', 'temp1_input'), '45000\n')
    expect((await gpuReadings(folder)).filter(({ vendor }) => vendor === 'amd')).toEqual([
      {
        ...{ vendor: 'amd', name: undefined, memoryBytes: 17_163_091_968, memoryUsedBytes: undefined },
        ...{ load: 12, celsius: 45 },
      },
    ])
    expect((await gpuReadings(join(folder, 'nowhere'))).filter(({ vendor }) => vendor === 'amd')).toEqual([])
  })

  const line = 'NVIDIA H200, 143771, 512, 37, 41'
  test.each([
    ['prints a line', `echo '${line}'`, 1],
    ['fails', `echo '${line}'; exit 9`, 0],
    ['prints without end', `head -c ${GPU_LIMITS.readingBytesMax + 1} /dev/zero`, 0],
  ])('of a program that %s', async (what, script, count) => {
    const programs = join(folder, what)
    mkdirSync(programs)
    writeFileSync(join(programs, 'nvidia-smi'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    const { PATH } = process.env
    process.env['PATH'] = `${programs}:${PATH}`
    try {
      expect((await gpuReadings(join(folder, 'nowhere'))).length).toBe(count)
    } finally {
      process.env['PATH'] = PATH
    }
  })

  test('belong to the card of that name, or to the only one of its maker', () => {
    const [a, b] = nvidiaReadings('A, 1, 1, 1, 1\nB, 2, 2, 2, 2\n')
    expect(readingOf({ name: 'B', vendor: 'nvidia' }, [a!, b!])).toBe(b)
    expect(readingOf({ name: 'C', vendor: 'nvidia' }, [a!, b!])).toBeUndefined()
    expect(readingOf({ name: 'C', vendor: 'nvidia' }, [a!])).toBe(a)
    expect(readingOf({ name: 'A', vendor: 'intel' }, [a!])).toBeUndefined()
  })
})
