/** The conversation about words, with a person played by a script. */
import { describe, expect, test } from 'vitest'
import { checkBackup, pickPositions, showWords, wordGrid } from '../../../src/app/backup-check.ts'
import type { Prompter } from '../../../src/app/prompt.ts'
import { createSystem } from '../../../src/app/system.ts'

const WORDS = 'legal winner thank year wave sausage worth useful legal winner thank yellow'.split(' ')
const { random } = createSystem()

/** Answers every question by `answer`; keeps what was shown. */
function person(answer: (question: string) => string): { prompter: Prompter; shown: string[] } {
  const shown: string[] = []
  const reply = async (question: string): Promise<string> => answer(question)
  const prompter: Prompter = {
    isInteractive: true,
    ask: reply,
    askHidden: reply,
    askPrivately(text, question) {
      shown.push(text)
      return reply(question)
    },
    close: () => undefined,
  }
  return { prompter, shown }
}

function rightAnswer(question: string): string {
  const position = /^Word (\d+)/.exec(question)?.[1]
  return position === undefined ? '' : ` ${WORDS[Number(position) - 1]!.toUpperCase()} `
}

function screensWithWords(shown: readonly string[]): number {
  return shown.filter((text) => text.includes(wordGrid(WORDS))).length
}

describe('showing the words', () => {
  test('ends after one screen when three words are repeated', async () => {
    const { prompter, shown } = person(rightAnswer)
    await showWords(WORDS, prompter, { verify: true, random })
    expect(screensWithWords(shown)).toBe(1)
    expect(shown).toHaveLength(4)
  })

  test('asks nothing without the check', async () => {
    const { prompter, shown } = person(() => 'anything')
    await showWords(WORDS, prompter, { verify: false, random })
    expect(shown).toHaveLength(1)
  })

  test('shows them again after a wrong answer, and gives up after three rounds', async () => {
    const { prompter, shown } = person(() => 'zebra')
    const showing = showWords(WORDS, prompter, { verify: true, random })
    await expect(showing).rejects.toMatchObject({ code: 'BACKUP_NOT_CHECKED' })
    expect(screensWithWords(shown)).toBe(3)
  })
})

test('the three positions differ, ascend and reach every word', () => {
  const seen = new Set<number>()
  for (let round = 0; round < 500; round++) {
    const positions = pickPositions(24, random)
    expect(new Set(positions).size).toBe(3)
    expect(positions).toEqual(positions.toSorted((a, b) => a - b))
    for (const position of positions) seen.add(position)
  }
  expect([...seen].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 24 }, (_, index) => index + 1))
})

test('the right words pass in any case and spacing', () => {
  checkBackup(`\n${WORDS.join('  ').toUpperCase()}\n`, WORDS)
})

test.each([
  ['one word', WORDS.with(3, 'zoo').join(' '), 'Word 4 differs from the wallet.'],
  ['two words that changed places', WORDS.with(0, 'winner').with(1, 'legal').join(' '), 'Words 1, 2 differ'],
  ['a missing word', WORDS.slice(1).join(' '), 'The wallet has 12 words, and 11 were typed.'],
  ['another wallet', Array(12).fill('zoo').join(' '), 'No word is right'],
])('refuses %s, and never says the right one', (_case, typed, message) => {
  expect(() => checkBackup(typed, WORDS)).toThrow(expect.objectContaining({ code: 'BACKUP_DIFFERS' }))
  expect(() => checkBackup(typed, WORDS)).toThrow(message)
  expect(() => checkBackup(typed, WORDS)).not.toThrow(/year|legal/)
})
