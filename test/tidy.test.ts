/**
 * House rules as tests: what the compiler and the linter cannot see. CONTRIBUTING.md says why each rule is there.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { functionsOf, loadedPackages, maskCode, root, type Source, sourcesIn, staticImports } from './tidy-source.ts'

const FILE_LINES_MAX = 300
const FUNCTION_LINES_MAX = 60

const program = sourcesIn('src')
const everything = ['src', 'test', 'scripts', 'bench'].flatMap(sourcesIn)

/** `path:line` of each match of `pattern` in the chosen text of the sources. */
function places(sources: readonly Source[], pattern: RegExp, part: 'text' | 'code'): string[] {
  return sources.flatMap((source) =>
    source[part].split('\n').flatMap((line, index) => (pattern.test(line) ? [`${source.path}:${index + 1}`] : [])),
  )
}

describe('sources', () => {
  test('open with a header that says what the module does', () => {
    const headless = program.filter(({ text }) => !/^(?:#!.*\n)?\/\*\*[\s\S]*?@module\b[\s\S]*?\*\//.test(text))
    expect(headless.map(({ path }) => path)).toEqual([])
  })

  test(`have at most ${FILE_LINES_MAX} lines`, () => {
    const long = everything.map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
    expect(long.filter(({ lines }) => lines > FILE_LINES_MAX)).toEqual([])
  })

  test(`have functions of at most ${FUNCTION_LINES_MAX} lines of their own`, () => {
    const long = program.flatMap((source) =>
      functionsOf(source)
        .filter(({ lines }) => lines > FUNCTION_LINES_MAX)
        .map(({ line, lines }) => `${source.path}:${line} has ${lines} lines of its own`),
    )
    expect(long).toEqual([])
  })

  test.each([
    ['the date', /\bDate\b/],
    ['unseeded chance', /\bMath\.random\b/],
    ['the performance clock', /\bperformance\b/],
    ['timeouts of signals', /\bAbortSignal\.timeout\b/],
    ['timers', /\b(?:set|clear)(?:Timeout|Interval|Immediate)\b/],
    ['timer modules', /timers\/promises|node:timers/],
  ])('take %s only through ports', (_what, pattern) => {
    const others = program.filter(({ path }) => path !== 'src/app/system.ts')
    expect(places(others, pattern, 'code')).toEqual([])
  })

  test.each([
    ['work marks without an issue', new RegExp(`\\b(?:${['TO', 'DO'].join('')}|FIX${'ME'}|XX${'X'})\\b`)],
    ['silenced checkers', new RegExp(`biome-${'ignore'}|@ts-${'ignore'}|@ts-${'nocheck'}|eslint-${'disable'}`)],
  ])('hold no %s', (_what, pattern) => {
    expect(places(everything, pattern, 'text')).toEqual([])
  })

  test('hold no any', () => {
    expect(places(everything, /(?:[:<|&,(]|\bas) any\b|\bany\[\]/, 'code')).toEqual([])
  })

  test.each([
    ['worker node', 'miner', 'text', /\bworker nodes?\b/i],
    ['wei', 'grain', 'text', /\bwei\b/i],
    // Verbs may stay in prose; as names they are other words for segment and stage.
    ['span', 'segment or layer range', 'code', /\bspans?(?:\b|[A-Z])|\wSpans?(?:\b|[A-Z])/],
    ['hop', 'stage', 'code', /\bhops?(?:\b|[A-Z])|\wHops?(?:\b|[A-Z])/],
  ] as const)('never say "%s" where they mean %s', (_word, _meant, part, pattern) => {
    expect(places(program, pattern, part)).toEqual([])
  })

  test('name no command and no flag that there is not', () => {
    const manifest = readFileSync(join(root, 'oclif.manifest.json'), 'utf8')
    const { commands }: { commands: Record<string, { flags: object }> } = JSON.parse(manifest)
    const topics = new Set(Object.keys(commands).map((id) => id.split(':')[0]))
    const readme = { path: 'README.md', text: readFileSync(join(root, 'README.md'), 'utf8') }
    const wrong = [...program, readme].flatMap(({ path, text }) =>
      [...text.matchAll(/`(?:npx )?dllm ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?([^`\n]*)/g)].flatMap(
        ([said, first, second, rest]) => {
          const command = commands[`${first}:${second}`] ?? commands[first!]
          if (command === undefined) return second === undefined && topics.has(first!) ? [] : [`${path}: ${said}`]
          const flags = [...rest!.matchAll(/ --(?:no-)?([a-z-]+)/g)].map(([, flag]) => flag!)
          return flags.every((flag) => flag in command.flags || flag === 'help') ? [] : [`${path}: ${said}`]
        },
      ),
    )
    expect(wrong).toEqual([])
  })

  test('load ink and react only below src/tui', () => {
    const others = program.filter(({ path }) => !path.startsWith('src/tui/'))
    const loading = others.filter((source) => staticImports(source).some((name) => /^(?:ink|react)(?:\/|$)/.test(name)))
    expect(loading.map(({ path }) => path)).toEqual([])
  })

  test('of commands load no package but oclif before they run', () => {
    const byPath = new Map(program.map((source) => [source.path, source]))
    const heavy = program
      .filter(({ path }) => path.startsWith('src/commands/'))
      .map(({ path }) => ({
        path,
        packages: [...loadedPackages(path, byPath)].filter((name) => !/^node:|^@oclif\/core$/.test(name)),
      }))
    expect(heavy.filter(({ packages }) => packages.length > 0)).toEqual([])
  })
})

describe('islands', () => {
  test.each(['base', 'core', 'ml'])('%s compiles without the types of Node', (island) => {
    const files = execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', `src/${island}`, '--listFilesOnly'], {
      cwd: root,
      encoding: 'utf8',
    })
    expect(files).toContain(`src/${island}/`)
    expect(files.split('\n').filter((file) => file.includes('@types/node'))).toEqual([])
  })
})

describe('the repository', () => {
  const tracked = existsSync(join(root, '.git'))
    ? execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).trim().split('\n')
    : []
  const texts = tracked
    .filter((path) => /\.(?:tsx?|js|json|md|c|h|sh|yml)$|^\.ci\//.test(path) && !path.startsWith('models/'))
    .filter((path) => existsSync(join(root, path)))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))

  test.skipIf(tracked.length === 0).each([
    ['a path of somebody’s machine', /(?<![\w.])\/(?:root|work|Users)\//],
    ['the host of a package registry', /\bregistry\.[\w-]+\.\w+|\bnpmjs\.(?:org|com)\/(?!package)/],
  ])('does not name %s', (_what, pattern) => {
    expect(texts.filter(({ text }) => pattern.test(text)).map(({ path }) => path)).toEqual([])
  })

  const lock: { packages: Record<string, { resolved?: string; optionalDependencies?: Record<string, string> }> } =
    JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))

  test('locks versions without naming where they come from', () => {
    const urls = Object.values(lock.packages).filter(({ resolved }) => resolved?.includes('://'))
    expect(urls).toEqual([])
  })

  test('locks the optional packages of every platform, without which `npm ci` refuses (repair: node scripts/lock.ts)', () => {
    const locked = new Set(Object.keys(lock.packages).map((key) => key.split('node_modules/').at(-1)))
    const wanted = Object.values(lock.packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}))
    expect(wanted.filter((name) => !locked.has(name))).toEqual([])
  })

  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const dependencies: [string, string][] = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })

  test('pins every dependency to one version', () => {
    expect(dependencies.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([])
  })

  test('gives a reason for every dependency', () => {
    const reasons = readFileSync(join(root, 'docs/DEPENDENCIES.md'), 'utf8')
    expect(dependencies.filter(([name]) => !reasons.includes(`\`${name}\``)).map(([name]) => name)).toEqual([])
  })
})

describe('the reader of sources', () => {
  test.each([
    ['a line comment', 'a() // Date', 'a()        '],
    ['a text', "a('Date')", 'a(      )'],
    ['a regex', 'a(/"Date"/g)', 'a(         )'],
    ['a template, but not its code', `\`Date \${now}\``, '        now  '],
  ])('masks %s', (_what, text, masked) => {
    expect(maskCode(text)).toBe(masked)
  })

  test('measures functions, methods and arrow functions, not blocks', () => {
    const text =
      'function a() {\n  if (b) {\n  }\n}\nclass C {\n  async #m(x: T): Promise<void> {\n  }\n}\nconst f = (\n  x: T,\n): T => {\n  g(() => {\n  })\n}\n'
    expect(functionsOf({ path: '', text, code: text })).toEqual([
      { line: 1, lines: 4 },
      { line: 6, lines: 2 },
      { line: 11, lines: 2 },
      { line: 12, lines: 2 },
    ])
  })
})
