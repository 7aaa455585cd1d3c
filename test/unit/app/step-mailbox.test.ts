import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  createMailboxMemory,
  createMailboxReceiver,
  createMailboxSender,
  type MailedOutput,
  type MailedOutputs,
} from '../../../src/app/step-mailbox.ts'
import { milliseconds } from '../../../src/base/brand.ts'
import { ENGINE_LIMITS } from '../../../src/base/limits.ts'
import type { StepInput } from '../../../src/ml/engine/engine.ts'

const uint = fc.nat({ max: 0x7fff_ffff })
const floats = fc.float32Array({ maxLength: 40 })
const input: fc.Arbitrary<StepInput['input']> = fc.oneof(
  fc.record({ type: fc.constant('tokens' as const), tokens: fc.int32Array({ min: 0, maxLength: 40 }) }),
  fc.record({ type: fc.constant('hidden' as const), values: floats }),
)
const step: fc.Arbitrary<StepInput> = fc.record({
  cache: uint,
  position: uint,
  input,
  logits: fc.constantFrom('none' as const, 'last' as const, 'all' as const),
})
const output: fc.Arbitrary<MailedOutput> = fc.record({
  type: fc.constantFrom('hidden' as const, 'logits' as const),
  values: floats,
})

/** Both ends in one thread: nobody sleeps. */
function openMailbox() {
  const memory = createMailboxMemory()
  return { sender: createMailboxSender(memory), receiver: createMailboxReceiver(memory) }
}

/** Bits, not numbers: NaN has many. */
const bitsOf = (values: Float32Array) => new Uint8Array(Float32Array.from(values).buffer)

test('batches and outputs arrive as they were sent, one after the other', async () => {
  const { sender, receiver } = openMailbox()
  let arrived = Promise.withResolvers<MailedOutputs>()
  sender.listen((mail) => arrived.resolve(mail))
  await fc.assert(
    fc.asyncProperty(
      uint,
      fc.array(step, { maxLength: 5 }),
      fc.array(output, { maxLength: 5 }),
      async (id, batch, outputs) => {
        arrived = Promise.withResolvers()
        expect(sender.put({ id, batch })).toBe(true)
        receiver.sleep()
        const mail = receiver.take()
        expect(mail?.id).toBe(id)
        expect(mail?.batch.map(({ input: _, ...rest }) => rest)).toEqual(batch.map(({ input: _, ...rest }) => rest))
        for (const [index, sent] of batch.entries()) {
          const got = mail!.batch[index]!.input
          if (sent.input.type === 'tokens') expect(got).toEqual(sent.input)
          else expect(got.type === 'hidden' && bitsOf(got.values)).toEqual(bitsOf(sent.input.values))
        }
        expect(receiver.take()).toBeUndefined()
        expect(receiver.reply({ id, outputs, computeMs: milliseconds(0.125) })).toBe(true)
        const reply = await arrived.promise
        expect(reply).toMatchObject({ id, computeMs: 0.125 })
        expect(reply.outputs.map(({ type }) => type)).toEqual(outputs.map(({ type }) => type))
        for (const [index, { values }] of outputs.entries()) {
          expect(bitsOf(reply.outputs[index]!.values)).toEqual(bitsOf(values))
        }
      },
    ),
  )
  sender.close()
})

test('what does not fit is not taken, and a smaller one is', () => {
  const { sender, receiver } = openMailbox()
  const hidden = (length: number): StepInput => {
    return { cache: 1, position: 0, input: { type: 'hidden', values: new Float32Array(length) }, logits: 'none' }
  }
  const whole = ENGINE_LIMITS.mailboxBytes / 4
  expect(sender.put({ id: 1, batch: [hidden(whole)] })).toBe(false)
  expect(receiver.take()).toBeUndefined()
  expect(sender.put({ id: 2, batch: [hidden(whole - 16)] })).toBe(true)
  expect(receiver.take()?.id).toBe(2)
  const reply = (length: number) =>
    receiver.reply({
      id: 2,
      outputs: [{ type: 'logits', values: new Float32Array(length) }],
      computeMs: milliseconds(1),
    })
  expect(reply(whole)).toBe(false)
  expect(reply(whole - 16)).toBe(true)
})

test('a bell that rang before does not let the worker sleep', () => {
  const { sender, receiver } = openMailbox()
  sender.ring()
  receiver.sleep()
  expect(receiver.take()).toBeUndefined()
})
