/**
 * Reading sources for the tidy test without a TypeScript parser: comments and texts masked, functions found by
 * Biome's indentation, static imports found by their statements.
 * @module
 */
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

export const root: string = join(import.meta.dirname, '..')

export interface Source {
  /** Path from the repository root, with slashes. */
  readonly path: string
  readonly text: string
  /** The text with comments and the insides of string and regex literals as spaces; line breaks stay. */
  readonly code: string
}

export interface FunctionSpot {
  /** Line of the function's head, from 1. */
  readonly line: number
  /** Its lines without those of the functions inside it: what one has to read at once. */
  readonly lines: number
}

/** Sources below a folder of the repository. */
export function sourcesIn(folder: string): Source[] {
  const files = globSync('**/*.{ts,tsx,js}', { cwd: join(root, folder) }).sort()
  return files.map((file) => {
    const text = readFileSync(join(root, folder, file), 'utf8')
    return { path: join(folder, file).replaceAll('\\', '/'), text, code: maskCode(text) }
  })
}

/** What the mask hides, tried in this order at each place: comments, texts, template pieces, regex literals. */
const HIDDEN =
  /\/\/.*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|(?<=(?:^|[=(,:[!&|?{};+]|\breturn|=>)\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/gm

/** Masks comments, texts and regex literals; code inside `${…}` of templates stays. */
export function maskCode(text: string): string {
  const blank = (part: string): string => part.replace(/[^\n]/g, ' ')
  const masked = text.replace(HIDDEN, blank)
  return masked.replace(/`(?:\\[\s\S]|\$\{(?:[^{}`]|\{[^{}]*\})*\}|[^`\\])*`/g, (template) =>
    template.replace(/\$\{((?:[^{}`]|\{[^{}]*\})*)\}|[^\n]/g, (part, code) =>
      (code === undefined ? ' ' : `  ${code} `).padEnd(part.length),
    ),
  )
}

const NOT_A_FUNCTION =
  /^(?:if|for|while|switch|do|try|class|interface|type|else|catch|finally|export (?:abstract )?class|abstract class|export interface|export type|return \w+\()/
const OPENS_FUNCTION =
  /\bfunction\b[^{]*\{$|=> \{$|^(?:(?:static|private|protected|public|override|async|get|set|readonly) )*\*?#?\w+(?:<[^{]*>)?\([^{]*\)(?:: [^=]+)? \{$|^\)(?:: [^=]+)? \{$/

/** Functions by indentation: the body ends at the first line that closes at the indentation of its first line. */
export function functionsOf(source: Source): FunctionSpot[] {
  const lines = source.code.split('\n').map((line) => line.trimEnd())
  const spots: FunctionSpot[] = []
  lines.forEach((line, index) => {
    const statement = line.trimStart()
    const indent = line.length - statement.length
    if (NOT_A_FUNCTION.test(statement) || statement.startsWith('}') || !OPENS_FUNCTION.test(statement)) return
    const end = lines.findIndex((other, at) => at > index && other.startsWith(`${' '.repeat(indent)}}`))
    if (end > 0) spots.push({ line: index + 1, lines: end - index + 1 })
  })
  return spots.map((spot) => ({ line: spot.line, lines: spot.lines - innerLines(spot, spots) }))
}

/** Lines of the functions directly inside `outer`. */
function innerLines(outer: FunctionSpot, spots: readonly FunctionSpot[]): number {
  const isInside = (a: FunctionSpot, b: FunctionSpot): boolean => a.line > b.line && a.line < b.line + b.lines
  const inner = spots.filter((spot) => isInside(spot, outer))
  const direct = inner.filter((spot) => !inner.some((other) => isInside(spot, other)))
  return direct.reduce((sum, spot) => sum + spot.lines, 0)
}

/** Module names that a file loads at once; types and `import()` do not count. */
export function staticImports(source: Source): string[] {
  const statements = source.text.matchAll(/^(?:import|export)\s+(?!type\b)(?:[^'"]*?\sfrom\s+)?'([^']+)'/gm)
  return [...statements].map((match) => match[1] ?? '')
}

/** Packages and built-ins that loading `path` loads, through all files of ours that it imports. */
export function loadedPackages(path: string, sources: ReadonlyMap<string, Source>): Set<string> {
  const packages = new Set<string>()
  const seen = new Set<string>()
  const queue = [path]
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const source = sources.get(next)
    if (source === undefined || seen.has(next)) continue
    seen.add(next)
    for (const name of staticImports(source)) {
      if (name.startsWith('.')) queue.push(relative(root, join(root, dirname(next), name)).replaceAll('\\', '/'))
      else packages.add(name)
    }
  }
  return packages
}
