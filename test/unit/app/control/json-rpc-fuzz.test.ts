/**
 * Whatever bytes arrive, the answer is empty, JSON-RPC 2.0, or a stream with a last line; and nothing throws.
 * @module
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { say } from './rpc-world.ts'

const METHODS = ['subtract', 'get_data', 'dllm_pay', 'dllm_fail', 'dllm_bug', 'dllm_count', 'constructor']

const id = fc.oneof(fc.string(), fc.double(), fc.constant(null), fc.jsonValue())
const params = fc.oneof(
  fc.jsonValue(),
  fc.array(fc.jsonValue(), { maxLength: 6 }),
  fc.dictionary(
    fc.constantFrom('minuend', 'subtrahend', 'amount', 'code', 'secret', 'upTo', '__proto__', 'other'),
    fc.oneof(fc.integer({ min: -3, max: 30 }), fc.bigInt({ min: 0n, max: 2n ** 70n }).map(String), fc.jsonValue()),
  ),
)
const request = fc.record(
  {
    jsonrpc: fc.constantFrom<unknown>('2.0', '2.0', '2.0', '1.0', 2),
    method: fc.oneof(fc.constantFrom(...METHODS), fc.jsonValue()),
    params,
    id,
    extra: fc.jsonValue(),
  },
  { requiredKeys: ['jsonrpc', 'method'] },
)
const value = fc.oneof(request, fc.array(fc.oneof(request, fc.jsonValue()), { maxLength: 70 }), fc.jsonValue())
const text = value.map((item) => JSON.stringify(item))
/** Valid JSON with one byte changed or its end cut off. */
const broken = fc.tuple(text, fc.nat(), fc.nat(255), fc.boolean()).map(([whole, at, byte, isCut]) => {
  const bytes = Buffer.from(whole)
  const place = at % Math.max(bytes.length, 1)
  if (isCut) return bytes.subarray(0, place)
  bytes[place] = byte
  return bytes
})
const brackets = fc
  .array(fc.constantFrom('[', '{', '"', '\\', ']', '}', ',', ':', '1', 'null'))
  .map((parts) => parts.join(''))

test.each([
  ['any bytes', fc.uint8Array({ maxLength: 200 })],
  ['JSON', text],
  ['broken JSON', broken],
  ['brackets', brackets],
])('%s are answered', async (_case, arbitrary) => {
  await fc.assert(
    fc.asyncProperty(arbitrary as fc.Arbitrary<string | Uint8Array>, async (body) => {
      const { type, text: said } = await say(body)
      if (type === 'stream') checkLines(said)
      else if (said !== '') checkAnswer(JSON.parse(said))
    }),
    { numRuns: 400 },
  )
})

function checkAnswer(answer: unknown): void {
  const responses: unknown[] = Array.isArray(answer) ? answer : [answer]
  expect(responses.length).toBeGreaterThan(0)
  for (const response of responses) checkResponse(response)
}

/** JSON-RPC 2.0 §5: the version, an id, and either a result or an error. */
function checkResponse(response: unknown): void {
  expect(response).toMatchObject({ jsonrpc: '2.0' })
  const fields = response as Record<string, unknown>
  expect(fields['id'] === null || ['string', 'number'].includes(typeof fields['id'])).toBe(true)
  expect('result' in fields).not.toBe('error' in fields)
  if ('error' in fields) {
    expect(fields['error']).toMatchObject({ code: expect.any(Number), message: expect.any(String) })
    expect(Number.isInteger((fields['error'] as { code: number }).code)).toBe(true)
  }
}

function checkLines(said: string): void {
  const lines = said
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as object)
  expect(lines.slice(0, -1).every((line) => 'item' in line)).toBe(true)
  expect(lines.at(-1)).toEqual({ end: true })
}
