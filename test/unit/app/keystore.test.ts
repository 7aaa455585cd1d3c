/** Keystores as bytes from anywhere: whatever is wrong is a coded refusal, and the published form stays readable. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createKeystore, type Keystore, openKeystore, parseKeystore } from '../../../src/app/keystore.ts'
import { KeystoreError } from '../../../src/app/keystore-crypto.ts'
import { MnemonicError, parseWords } from '../../../src/app/mnemonic.ts'
import { createSystem } from '../../../src/app/system.ts'
import { AddressError, decodeAddress } from '../../../src/core/address.ts'
import bip39 from '../../vectors/bip39-english.json' with { type: 'json' }

const { random } = createSystem()
const COST = { n: 2, r: 1, p: 1 }
const PASSWORD = 'correct horse'

function keystoreOf(words: readonly string[], passphrase: string): Promise<Keystore> {
  return createKeystore({ words, passphrase }, PASSWORD, { random, description: '', cost: COST })
}

function refusesWith(errorClass: new (...args: never[]) => Error, run: () => unknown): boolean {
  try {
    run()
    return true
  } catch (error) {
    return error instanceof errorClass
  }
}

test.each(bip39.cases)('the wallet of $entropy survives its keystore', async ({ mnemonic }) => {
  const words = mnemonic.split(' ')
  const keystore = await keystoreOf(words, 'pässphrase')
  const opened = await openKeystore(parseKeystore(JSON.stringify(keystore)), PASSWORD)
  expect(opened.secret).toEqual({ words, passphrase: 'pässphrase'.normalize('NFKD') })
  expect(Buffer.from(opened.keys({ network: 'mainnet', role: 'payout' }).publicKey).toString('hex')).toBe(
    keystore.accounts[5]!.publicKey,
  )
})

test('any JSON, and any text, is read or refused with a code', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (text) => refusesWith(KeystoreError, () => parseKeystore(text))),
  )
})

test('a keystore with any one field replaced is read or refused with a code', async () => {
  const keystore = await keystoreOf(bip39.cases[0]!.mnemonic.split(' '), '')
  const paths = leafPaths(keystore)
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
      const changed = structuredClone(keystore)
      replaceAt(changed, path, value)
      return refusesWith(KeystoreError, () => parseKeystore(JSON.stringify(changed)))
    }),
    { numRuns: 500 },
  )
})

test('any text as an address is read or refused with a code', () => {
  const text = fc.oneof(
    fc.string(),
    fc.string().map((rest) => `ldllm1${rest}`),
  )
  fc.assert(fc.property(text, (typed) => refusesWith(AddressError, () => decodeAddress(typed))))
})

test('any text as words is read or refused with a code', () => {
  const word = fc.oneof(fc.constantFrom('abandon', 'zoo', 'about'), fc.string())
  fc.assert(
    fc.property(fc.array(word, { maxLength: 30 }), (words) =>
      refusesWith(MnemonicError, () => parseWords(words.join(' '))),
    ),
  )
})

type Path = readonly (string | number)[]

function leafPaths(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([key, item]) => leafPaths(item, [...path, key]))].filter(
    (found) => found.length > 0,
  )
}

function replaceAt(target: object, path: Path, value: unknown): void {
  const [key, ...rest] = path
  const container = target as Record<string | number, unknown>
  if (rest.length === 0) container[key!] = value
  else replaceAt(container[key!] as object, rest, value)
}
