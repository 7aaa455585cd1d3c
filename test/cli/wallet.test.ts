/** The wallet commands as a person or a script runs them: real processes, a real data folder, and a real terminal. */
import { spawn, spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import bip39 from '../vectors/bip39-english.json' with { type: 'json' }
import { makeWallet, passwordFileOf } from './cheap-wallet.ts'
import { createDllm, PROGRAM, plainEnvironment } from './dllm.ts'

const PASSWORD = 'correct horse battery'
const WORDS = bip39.cases[4]!.mnemonic
const dllm = createDllm()
const passwordFile = passwordFileOf(dllm)

interface Printed {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** `dllm wallet …`. */
async function wallet(args: readonly string[], input?: string): Promise<Printed> {
  const { code, stdout, stderr } = await dllm.run(['wallet', ...args], input)
  return { code, out: stdout, err: stderr }
}

async function addressOf(role: string): Promise<string> {
  const { out } = await wallet(['show', '--json'])
  const { accounts } = JSON.parse(out) as { accounts: { role: string; address: string }[] }
  return accounts.find((account) => account.role === role)!.address
}

beforeAll(() => makeWallet(dllm, 'default', WORDS.split(' ')))
afterAll(() => dllm.cleanUp())

test('imported words give the same addresses everywhere', async () => {
  const imported = await wallet(['import', '--name', 'imported'], `${WORDS}\n${PASSWORD}\n`)
  expect(imported).toMatchObject({ code: 0, err: '' })
  expect((await wallet(['show', 'imported'])).out.replace(join(dllm.home, '..'), '')).toMatchInlineSnapshot(`
    "Wallet imported, network local
      owner     ldllm1nh99ljy9n8t3kr46r4phg3xhx5kgrdy0cv7n6d  m/44'/1'/0'/0'/0'
      operator  ldllm10h92gl4fkt6mym8vk6dxjnqwu3d6w3s70j2z46  m/44'/1'/0'/1'/0'
      payout    ldllm1rj2vr3djzsgd6xtwp9zt05vclq9l94wzr9dr87  m/44'/1'/0'/2'/0'
      file      /home/wallets/imported.json
    "
  `)
  expect((await wallet(['list'])).out).toContain(await addressOf('owner'))
})

test('files and folder are private', () => {
  const wallets = join(dllm.home, 'wallets')
  expect(statSync(wallets).mode & 0o777).toBe(0o700)
  expect(readdirSync(wallets).map((name) => statSync(join(wallets, name)).mode & 0o777)).toEqual([0o600, 0o600])
})

test('a signature made here verifies, and not for another message or role', async () => {
  const signed = await wallet(['sign', '--role', 'payout', '--password-file', passwordFile], 'hello\n')
  expect(signed.code).toBe(0)
  const signature = signed.out.trim()
  expect(await wallet(['verify', await addressOf('payout'), signature], 'hello\n')).toMatchObject({ code: 0 })
  expect(await wallet(['verify', await addressOf('payout'), signature, '--message', 'hello'])).toMatchObject({
    code: 1,
    err: expect.stringContaining('SIGNATURE_INVALID'),
  })
  const other = await wallet(['verify', await addressOf('owner'), signature], 'hello\n')
  expect(other.err).toContain('SIGNATURE_OTHER_ADDRESS')
})

describe('secrets', () => {
  test('are printed by export only with --reveal', async () => {
    const refused = await wallet(['export', '--password-file', passwordFile, '--json'])
    expect(refused.code).toBe(2)
    expect(refused.out + refused.err).not.toContain('abandon')
    expect(JSON.parse((await wallet(['export', '--reveal', '--json'], `${PASSWORD}\n`)).out)).toEqual({
      name: 'default',
      words: WORDS,
    })
  })

  test('of a new wallet are not in its JSON', async () => {
    const made = await wallet(['new', '--name', 'fresh', '--no-verify', '--password-file', passwordFile, '--json'])
    expect(made.code).toBe(0)
    const words = (await wallet(['export', 'fresh', '--reveal', '--password-file', passwordFile])).out.trim()
    expect(words.split(' ')).toHaveLength(24)
    expect(made.out + made.err).not.toContain(words.split(' ').slice(0, 2).join(' '))
    expect(
      (await wallet(['verify-backup', 'fresh', '--words-file', '-', '--password-file', passwordFile], words)).code,
    ).toBe(0)
  })

  test('go to a wallet whose name is typed like that of any other wallet', async () => {
    const made = await wallet(['new', 'named', '--no-verify', '--password-file', passwordFile, '--json'])
    expect(JSON.parse(made.out)).toMatchObject({ name: 'named' })
    expect(await wallet(['show', 'named'])).toMatchObject({ code: 0, out: expect.stringContaining('Wallet named') })
  })

  test('on stdin are never taken for arguments', async () => {
    const { code, err } = await wallet(['export', '--reveal'], 'wrong password\n')
    expect(code).toBe(4)
    expect(err).toBe(
      'Error: The password is wrong. Passwords are case-sensitive; try again. (KEYSTORE_WRONG_PASSWORD)\n',
    )
  })
})

test.each([
  ['a name that is taken', ['new', '--no-verify', '--password-file', passwordFile], undefined, 1, 'WALLET_EXISTS'],
  ['a wallet that is not there', ['show', 'nothing'], undefined, 1, 'WALLET_NOT_FOUND'],
  ['a bad name', ['show', '../../etc/passwd'], undefined, 2, 'WALLET_BAD_NAME'],
  ['a wallet with two names', ['new', 'one', '--name', 'two', '--no-verify'], `${PASSWORD}\n`, 2, 'USAGE'],
  ['a new wallet without a terminal', ['new', '--name', 'two'], `${PASSWORD}\n`, 2, 'USAGE'],
  ['an empty stdin', ['export', '--reveal'], '', 2, 'PROMPT_NO_ANSWER'],
  ['a short password', ['new', '--name', 'two', '--no-verify'], 'short\n', 1, 'WALLET_WEAK_PASSWORD'],
  ['a mistyped word', ['import', '--name', 'two'], `${WORDS.replace('art', 'arrt')}\n`, 1, 'MNEMONIC_UNKNOWN_WORD'],
  ['words in a wrong order', ['import', '--name', 'two'], `art ${WORDS.slice(0, -4)}\n`, 1, 'MNEMONIC_CHECKSUM'],
  [
    'two sources of one password',
    ['sign', '-m', 'x', '--password-file', 'a', '--password-fd', '3'],
    undefined,
    2,
    'USAGE',
  ],
  [
    'a password file that is not there',
    ['sign', '-m', 'x', '--password-file', '/nowhere'],
    undefined,
    1,
    'INPUT_NOT_READABLE',
  ],
  ['a network without addresses', ['show', '--network', 'moon'], undefined, 2, 'NETWORK_UNKNOWN'],
  ['a number of words that no wallet has', ['new', '--words', '13'], undefined, 2, 'USAGE'],
] as const)('%s is refused with a code and a sentence', async (_case, args, input, code, name) => {
  const outcome = await wallet(args, input)
  expect(outcome).toMatchObject({ code, err: expect.stringContaining(`(${name})`), out: '' })
  expect(outcome.err).not.toContain('    at ')
})

/** The program saves the cursor right after a question on the private screen. */
const CURSOR_SAVED = '\u001b7'

/** util-linux's, which gives a program a terminal. */
const SCRIPT = 'script'
const hasScript = process.platform === 'linux' && spawnSync(SCRIPT, ['--version']).status === 0

test.skipIf(!hasScript)('at a terminal: the password is hidden, the words are shown and asked for', async () => {
  const command = `'${process.execPath}' '${PROGRAM}' wallet new --name typed --home '${dllm.home}'`
  const child = spawn(SCRIPT, ['-qec', command, '/dev/null'], { env: { ...plainEnvironment(), TERM: 'xterm' } })
  let screen = ''
  let answered = 0
  const grid = new Map<number, string>()
  const answer = (): string | undefined => {
    const rest = screen.slice(answered).replaceAll(CURSOR_SAVED, '|')
    if (/New password.*: $|same password again: $/.test(rest)) return PASSWORD
    for (const [, position, word] of rest.matchAll(/(\d+)\. ([a-z]+)/g)) grid.set(Number(position), word!)
    if (/on paper\. \|$/.test(rest)) return ''
    const asked = /Word (\d+): \|$/.exec(rest)?.[1]
    return asked === undefined ? undefined : grid.get(Number(asked))
  }
  const code = await new Promise<number | null>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      screen += chunk.toString()
      const reply = answer()
      if (reply === undefined) return
      answered = screen.length
      child.stdin.write(`${reply}\r`)
    })
    child.on('close', resolve)
  })
  expect(code).toBe(0)
  expect(grid.size).toBe(24)
  expect(screen).not.toContain(PASSWORD)
  expect(screen).toContain('Wallet typed, network local')
  expect((await wallet(['export', 'typed', '--reveal', '--password-file', passwordFile])).out.trim()).toBe(
    Array.from({ length: 24 }, (_, index) => grid.get(index + 1)).join(' '),
  )
})
