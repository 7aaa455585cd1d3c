/** Wallets on a real disk: what is written, what is refused, and what survives. */
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createSystem } from '../../../src/app/system.ts'
import { createWallets, verifyMessage, type Wallets } from '../../../src/app/wallet.ts'
import bip39 from '../../vectors/bip39-english.json' with { type: 'json' }
import published from '../../vectors/keystore-eip2335.json' with { type: 'json' }

const PASSWORD = 'correct horse battery'
const WORDS = bip39.cases[4]!.mnemonic.split(' ')
const COST = { n: 2 ** 4, r: 8, p: 1 }
const system = createSystem()

let root: string
let folder: string
let wallets: Wallets

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'dllm-wallet-'))
  folder = join(root, 'wallets')
  wallets = createWallets({ folder, cost: COST }, system)
})
afterEach(() => rmSync(root, { recursive: true }))

function make(name = 'main', passphrase = ''): Promise<void> {
  return wallets.create({ name, description: 'a test', secret: { words: WORDS, passphrase }, password: PASSWORD })
}

function fileOf(name = 'main'): string {
  return join(folder, `${name}.json`)
}

function change(edit: (keystore: Record<string, never>) => unknown): void {
  writeFileSync(fileOf(), JSON.stringify(edit(JSON.parse(readFileSync(fileOf(), 'utf8')))))
}

describe('a new wallet', () => {
  test('is one private file in a private folder, and nothing else', async () => {
    await make()
    expect(readdirSync(folder)).toEqual(['main.json'])
    expect(statSync(fileOf()).mode & 0o777).toBe(0o600)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
  })

  test('shows its addresses without a password, and holds no word in clear', async () => {
    await make('main', 'extra secret')
    const text = readFileSync(fileOf(), 'utf8')
    expect(text).not.toMatch(/abandon|extra secret/)
    const view = await wallets.show('main', 'local')
    expect(view.accounts.map(({ role }) => role)).toEqual(['owner', 'operator', 'payout'])
    expect(new Set(view.accounts.map(({ address }) => address)).size).toBe(3)
    expect(view.accounts.every(({ address }) => address.startsWith('ldllm1'))).toBe(true)
  })

  test('gives back its words and passphrase, and the keys of its addresses', async () => {
    await make('main', 'extra secret')
    const opened = await wallets.open('main', PASSWORD)
    expect(opened.secret).toEqual({ words: WORDS, passphrase: 'extra secret' })
    const owner = (await wallets.show('main', 'mainnet')).accounts[0]!
    const signed = opened.sign(Uint8Array.of(1, 2, 3), { network: 'mainnet', role: 'owner' })
    expect(signed).toMatchObject({ address: owner.address, publicKey: owner.publicKey, path: owner.path })
    verifyMessage({ ...signed, message: Uint8Array.of(1, 2, 3) })
  })

  test('differs with the passphrase', async () => {
    await make('plain')
    await make('extended', 'extra secret')
    const [plain, extended] = await Promise.all(['plain', 'extended'].map((name) => wallets.show(name, 'local')))
    expect(plain!.accounts[0]!.address).not.toBe(extended!.accounts[0]!.address)
    expect(statSync(fileOf('plain')).size).toBe(statSync(fileOf('extended')).size)
  })

  test('checks its backup', async () => {
    await make('main', 'extra secret')
    const opened = await wallets.open('main', PASSWORD)
    opened.checkBackup(WORDS.join(' '), 'extra secret')
    expect(() => opened.checkBackup(WORDS.join(' '), '')).toThrow(
      expect.objectContaining({ code: 'BACKUP_OTHER_PASSPHRASE' }),
    )
  })
})

describe('refusals before anything is written', () => {
  test.each(['', '../up', 'Upper', '.hidden', 'a b', 'x'.repeat(33), 'a/b', 'nul\u0000'])(
    'the name %j',
    async (name) => {
      await expect(make(name)).rejects.toMatchObject({ code: 'WALLET_BAD_NAME' })
      expect(readdirSync(root)).toEqual([])
    },
  )

  test.each(['', 'short', 'x'.repeat(1025), '\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007'])(
    'the password %j',
    async (password) => {
      const making = wallets.create({
        name: 'main',
        description: '',
        secret: { words: WORDS, passphrase: '' },
        password,
      })
      await expect(making).rejects.toMatchObject({ code: 'WALLET_WEAK_PASSWORD' })
      expect(readdirSync(root)).toEqual([])
    },
  )

  test('a name that is taken, whose wallet stays as it was', async () => {
    await make()
    const before = readFileSync(fileOf())
    await expect(make()).rejects.toMatchObject({ code: 'WALLET_EXISTS' })
    await expect(wallets.checkName('main')).rejects.toMatchObject({ code: 'WALLET_EXISTS' })
    expect(readFileSync(fileOf())).toEqual(before)
  })

  test('of two that race for one name, one wins and one is told', async () => {
    const outcomes = await Promise.allSettled([make(), make()])
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(readdirSync(folder)).toEqual(['main.json'])
    await wallets.open('main', PASSWORD)
  })

  test('a place where no folder can be', async () => {
    writeFileSync(folder, 'a file')
    await expect(make()).rejects.toMatchObject({ code: 'WALLET_NOT_WRITTEN' })
  })
})

describe('a wallet file', () => {
  beforeEach(() => make())

  test('is not opened by a wrong password', async () => {
    await expect(wallets.open('main', 'correct horse batterx')).rejects.toMatchObject({
      code: 'KEYSTORE_WRONG_PASSWORD',
    })
  })

  test.skipIf(process.platform === 'win32')(
    'is refused when others may read it, with the command that repairs it',
    async () => {
      chmodSync(fileOf(), 0o644)
      const showing = wallets.show('main', 'local')
      await expect(showing).rejects.toMatchObject({ code: 'WALLET_TOO_OPEN' })
      await expect(showing).rejects.toThrow(`chmod 600 ${fileOf()}`)
    },
  )

  test('is refused when its addresses were exchanged for those of another wallet', async () => {
    const secret = { words: bip39.cases[6]!.mnemonic.split(' '), passphrase: '' }
    await wallets.create({ name: 'other', description: '', secret, password: PASSWORD })
    const { accounts } = JSON.parse(readFileSync(fileOf('other'), 'utf8'))
    change((keystore) => ({ ...keystore, accounts }))
    await expect(wallets.open('main', PASSWORD)).rejects.toMatchObject({ code: 'KEYSTORE_TAMPERED' })
  })

  test.each([
    ['no JSON', () => 'nonsense', 'KEYSTORE_DAMAGED'],
    ['an ERC-2335 keystore', () => published.keystore, 'KEYSTORE_UNSUPPORTED'],
    ['another version', (keystore: object) => ({ ...keystore, version: 'dllm-keystore-2' }), 'KEYSTORE_UNSUPPORTED'],
    ['no accounts', (keystore: object) => ({ ...keystore, accounts: [] }), 'KEYSTORE_DAMAGED'],
    ['another path', (keystore: object) => ({ ...keystore, path: 'm' }), 'KEYSTORE_DAMAGED'],
    ['a bad uuid', (keystore: object) => ({ ...keystore, uuid: '../..' }), 'KEYSTORE_DAMAGED'],
    ['a list', () => [], 'KEYSTORE_DAMAGED'],
    ['null', () => null, 'KEYSTORE_DAMAGED'],
    ['a long description', (keystore: object) => ({ ...keystore, description: 'x'.repeat(201) }), 'KEYSTORE_DAMAGED'],
  ])('that is %s is refused', async (_case, edit, code) => {
    change(edit)
    await expect(wallets.show('main', 'local')).rejects.toMatchObject({ code })
  })

  test('with an address that is not its key’s is refused', async () => {
    const text = readFileSync(fileOf(), 'utf8')
    const address = (await wallets.show('main', 'local')).accounts[1]!.address
    writeFileSync(fileOf(), text.replace(address, (await wallets.show('main', 'local')).accounts[0]!.address))
    await expect(wallets.show('main', 'local')).rejects.toMatchObject({ code: 'KEYSTORE_DAMAGED' })
  })

  test('that is too large is refused', async () => {
    writeFileSync(fileOf(), ' '.repeat(70_000))
    await expect(wallets.show('main', 'local')).rejects.toMatchObject({ code: 'WALLET_TOO_LARGE' })
  })

  test('that was cut off at any length is refused, never read as something else', async () => {
    const text = readFileSync(fileOf(), 'utf8').trimEnd()
    for (let length = 0; length < text.length; length += 97) {
      writeFileSync(fileOf(), text.slice(0, length))
      await expect(wallets.show('main', 'local')).rejects.toMatchObject({ code: 'KEYSTORE_DAMAGED' })
    }
  })
})

describe('a list', () => {
  test('of a missing folder is empty', async () => {
    expect(await wallets.list('local')).toEqual([])
  })

  test('names what cannot be used beside what can', async () => {
    await make('good')
    writeFileSync(fileOf('bad'), '{}', { mode: 0o600 })
    symlinkSync(join(root, 'nowhere'), fileOf('gone'))
    writeFileSync(join(folder, 'notes.txt'), 'not a wallet')
    expect(await wallets.list('testnet')).toMatchObject([
      { type: 'problem', name: 'bad', code: 'KEYSTORE_UNSUPPORTED' },
      { type: 'problem', name: 'gone', code: 'WALLET_NOT_FOUND' },
      { type: 'wallet', wallet: { name: 'good', network: 'testnet' } },
    ])
  })

  test('tells which wallets there are when one is not found', async () => {
    await expect(wallets.show('main', 'local')).rejects.toThrow('make one with `dllm wallet new`')
    await make('good')
    await expect(wallets.show('main', 'local')).rejects.toThrow('There is no wallet named main. There is good.')
  })
})
