/**
 * The conversation about words: show them once on a screen of their own, ask for three of them, read them back from
 * paper, compare. Refusals name positions, never right words. Spec: docs/spec/keys.md §8.
 * @module
 */
import { HouseError } from '../base/error.ts'
import type { Random } from '../base/ports.ts'
import type { Prompter } from './prompt.ts'

export class BackupError extends HouseError<'BACKUP_NOT_CHECKED' | 'BACKUP_DIFFERS' | 'BACKUP_OTHER_PASSPHRASE'> {}

const ASKED_WORDS = 3
const ROUNDS_MAX = 3
const COLUMNS = 4

const WARNING = `Write these words on paper, in this order. Whoever has them owns the wallet;
without them nobody can restore it. They are shown only now.`

/**
 * Shows the words; with `verify`, asks for three of them and shows them again after a wrong answer, three times at most.
 * @throws BackupError BACKUP_NOT_CHECKED
 */
export async function showWords(
  words: readonly string[],
  prompter: Prompter,
  options: { readonly verify: boolean; readonly random: Random },
): Promise<void> {
  let remark = ''
  for (let round = 0; round < ROUNDS_MAX; round++) {
    await prompter.askPrivately(`${remark}${WARNING}\n\n${wordGrid(words)}`, 'Press Enter when they are on paper. ')
    if (!options.verify) return
    const wrong = await firstWrong(words, prompter, pickPositions(words.length, options.random))
    if (wrong === undefined) return
    remark = `Word ${wrong} was not right. Compare your paper with the screen.\n\n`
  }
  throw new BackupError(
    'BACKUP_NOT_CHECKED',
    'The words were not repeated correctly, so no wallet was made. Run the command again; it will show new words.',
  )
}

/** Numbered words in four columns. */
export function wordGrid(words: readonly string[]): string {
  const rows = Math.ceil(words.length / COLUMNS)
  const lines = Array.from({ length: rows }, (_, row) =>
    words
      .flatMap((word, index) => (index % rows === row ? [`${String(index + 1).padStart(3)}. ${word.padEnd(9)}`] : []))
      .join('')
      .trimEnd(),
  )
  return lines.join('\n')
}

/** Three different positions from 1, ascending, drawn without bias. */
export function pickPositions(count: number, random: Random): number[] {
  const positions = new Set<number>()
  const fair = Math.floor(256 / count) * count
  while (positions.size < ASKED_WORDS) {
    const byte = random.bytes(1)[0]!
    if (byte < fair) positions.add((byte % count) + 1)
  }
  return [...positions].sort((a, b) => a - b)
}

/**
 * Compares words from paper with those of the wallet.
 * @throws BackupError BACKUP_DIFFERS with the positions.
 */
export function checkBackup(typed: string, words: readonly string[]): void {
  const found = typed.normalize('NFKD').toLowerCase().split(/\s+/).filter(Boolean)
  if (found.length !== words.length) {
    throw new BackupError(
      'BACKUP_DIFFERS',
      `The wallet has ${words.length} words, and ${found.length} were typed. Check for missing or joined words.`,
      { details: { expected: words.length, found: found.length } },
    )
  }
  const wrong = words.flatMap((word, index) => (word === found[index] ? [] : [index + 1]))
  if (wrong.length === 0) return
  if (wrong.length === words.length) {
    throw new BackupError('BACKUP_DIFFERS', 'No word is right: these are the words of another wallet.')
  }
  const which = wrong.length === 1 ? `Word ${wrong[0]} differs` : `Words ${wrong.join(', ')} differ`
  throw new BackupError(
    'BACKUP_DIFFERS',
    `${which} from the wallet. Look at your paper again; \`dllm wallet export --reveal\` shows the right words.`,
    { details: { positions: wrong.join(',') } },
  )
}

async function firstWrong(
  words: readonly string[],
  prompter: Prompter,
  positions: readonly number[],
): Promise<number | undefined> {
  for (const position of positions) {
    const answer = await prompter.askPrivately('Look at your paper.', `Word ${position}: `)
    if (answer.trim().toLowerCase() !== words[position - 1]) return position
  }
  return undefined
}
