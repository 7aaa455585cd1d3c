/**
 * JSON-RPC 2.0 without a socket: the examples of the specification's section 7, and what it leaves to us.
 * @module
 */
import { describe, expect, test } from 'vitest'
import { controlError } from '../../../../src/app/control/control-errors.ts'
import { ask, say } from './rpc-world.ts'

const parseError = { jsonrpc: '2.0', error: { code: -32700, message: 'Parse error' }, id: null }
const invalid = { jsonrpc: '2.0', error: { code: -32600, message: 'Invalid Request' }, id: null }

describe('the examples of the specification', () => {
  test.each([
    [
      'positional parameters',
      '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
      { jsonrpc: '2.0', result: 19, id: 1 },
    ],
    [
      'positional parameters, the other way round',
      '{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
      { jsonrpc: '2.0', result: -19, id: 2 },
    ],
    [
      'named parameters',
      '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
      { jsonrpc: '2.0', result: 19, id: 3 },
    ],
    [
      'named parameters in another order',
      '{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}',
      { jsonrpc: '2.0', result: 19, id: 4 },
    ],
    ['a notification', '{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', undefined],
    ['a notification of a method that does not exist', '{"jsonrpc": "2.0", "method": "foobar"}', undefined],
    [
      'a method that does not exist',
      '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}',
      { jsonrpc: '2.0', error: { code: -32601, message: 'Method not found' }, id: '1' },
    ],
    ['invalid JSON', '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', parseError],
    ['an invalid request object', '{"jsonrpc": "2.0", "method": 1, "params": "bar"}', invalid],
    [
      'a batch of invalid JSON',
      '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method"]',
      parseError,
    ],
    ['an empty array', '[]', invalid],
    ['an invalid batch that is not empty', '[1]', [invalid]],
    ['an invalid batch', '[1,2,3]', [invalid, invalid, invalid]],
    [
      'a batch',
      `[
        {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
        {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "get_data", "id": "9"}
      ]`,
      [
        { jsonrpc: '2.0', result: 7, id: '1' },
        { jsonrpc: '2.0', result: 19, id: '2' },
        invalid,
        { jsonrpc: '2.0', error: { code: -32601, message: 'Method not found' }, id: '5' },
        { jsonrpc: '2.0', result: ['hello', 5], id: '9' },
      ],
    ],
    [
      'a batch of notifications',
      '[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]}, {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]',
      undefined,
    ],
  ])('%s', async (_case, request, expected) => {
    const { text, bugs } = await say(request)
    expect(text === '' ? undefined : JSON.parse(text)).toEqual(expected)
    expect(bugs).toEqual([])
  })
})

describe('requests', () => {
  test.each([
    ['no version', '{"method":"get_data","id":1}', 1],
    ['another version', '{"jsonrpc":"1.0","method":"get_data","id":1}', 1],
    ['a version that is a number', '{"jsonrpc":2.0,"method":"get_data","id":1}', 1],
    ['no method', '{"jsonrpc":"2.0","id":"a"}', 'a'],
    ['parameters that are null', '{"jsonrpc":"2.0","method":"get_data","params":null,"id":1}', 1],
    ['parameters that are a number', '{"jsonrpc":"2.0","method":"get_data","params":1,"id":1}', 1],
    ['an id that is an object', '{"jsonrpc":"2.0","method":"get_data","id":{}}', null],
    ['an id that is true', '{"jsonrpc":"2.0","method":"get_data","id":true}', null],
    ['an id that would not come back as it was', '{"jsonrpc":"2.0","method":"get_data","id":9007199254740993}', null],
    ['an id that is no number of JSON’s reader', '{"jsonrpc":"2.0","method":"get_data","id":1e999}', null],
    ['an id that is too long', `{"jsonrpc":"2.0","method":"get_data","id":"${'i'.repeat(129)}"}`, null],
    ['a string', '"get_data"', null],
    ['null', 'null', null],
  ])('with %s are invalid', async (_case, request, id) => {
    expect(JSON.parse((await say(request)).text)).toEqual({ ...invalid, id })
  })

  test.each([
    ['zero', '0'],
    ['null', 'null'],
    ['a fraction', '1.5'],
    ['an empty text', '""'],
    ['a long text', `"${'i'.repeat(128)}"`],
  ])('get their id back when it is %s', async (_case, id) => {
    const { text } = await say(`{"jsonrpc":"2.0","method":"get_data","id":${id}}`)
    expect(text).toBe(`{"jsonrpc":"2.0","result":["hello",5],"id":${id}}`)
  })

  test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])('find no method named %s', async (name) => {
    expect(await ask(name, {})).toMatchObject({ error: { code: -32601 } })
  })

  test.each([
    ['nothing', ''],
    ['bytes that are not UTF-8', Uint8Array.of(0x22, 0xff, 0x22)],
    ['a zero byte', '\0'],
    ['two values', '{} {}'],
  ])('that are %s cannot be parsed', async (_case, body) => {
    expect(JSON.parse((await say(body)).text)).toEqual(parseError)
  })

  test('with a byte order mark are read', async () => {
    expect((await say('\ufeff{"jsonrpc":"2.0","method":"get_data","id":1}')).text).toContain('hello')
  })

  test('may be nested as deeply as the bound, not more', async () => {
    const nested = (depth: number): string =>
      `{"jsonrpc":"2.0","id":1,"method":"sum","params":{"a":${'['.repeat(depth - 2)}${']'.repeat(depth - 2)}}}`
    expect(JSON.parse((await say(nested(32))).text)).toMatchObject({ error: { code: -32602 } })
    expect(JSON.parse((await say(nested(33))).text)).toEqual({
      jsonrpc: '2.0',
      error: { code: -32700, message: 'Parse error', data: { code: 'CONTROL_TOO_DEEP', details: { max: 32 } } },
      id: null,
    })
    expect(JSON.parse((await say('['.repeat(1_000_000))).text).error.data.code).toBe('CONTROL_TOO_DEEP')
  })

  test('may hold brackets in texts', async () => {
    const { text } = await say(`{"jsonrpc":"2.0","method":"get_data","id":"${'[{'.repeat(40)}\\"["}`)
    expect(JSON.parse(text)).toMatchObject({ result: ['hello', 5] })
  })
})

describe('batches', () => {
  const one = { jsonrpc: '2.0', method: 'get_data', id: 1 }

  test('may have 64 requests, not 65', async () => {
    expect(JSON.parse((await say(JSON.stringify(Array(64).fill(one)))).text)).toHaveLength(64)
    expect(JSON.parse((await say(JSON.stringify(Array(65).fill(one)))).text)).toMatchObject({
      error: { code: -32600, data: { code: 'CONTROL_BATCH_TOO_LARGE', details: { max: 64, count: 65 } } },
      id: null,
    })
  })

  test('cannot hold batches', async () => {
    expect(JSON.parse((await say('[[]]')).text)).toEqual([invalid])
  })

  test('cannot hold streams', async () => {
    const { text } = await say('[{"jsonrpc":"2.0","method":"dllm_count","params":{"upTo":1},"id":4}]')
    expect(JSON.parse(text)).toMatchObject([{ error: { code: -32600, data: { code: 'CONTROL_STREAM_ALONE' } }, id: 4 }])
  })

  test('are answered in full only up to the bound of an answer', async () => {
    const large = { jsonrpc: '2.0', method: 'dllm_give', params: { what: 'large' }, id: 1 }
    const replies = JSON.parse((await say(JSON.stringify([large, { ...large, id: 2 }, { ...one, id: 3 }]))).text)
    expect(replies).toMatchObject([
      { id: 1 },
      { id: 2, error: { data: { code: 'CONTROL_REPLY_TOO_LARGE' } } },
      { id: 3, result: ['hello', 5] },
    ])
  })
})

describe('failures', () => {
  test.each([
    ['INSUFFICIENT_FUNDS', -32005],
    ['PURSE_LOST', -32001],
    ['INTERRUPTED', -32000],
  ])('of the house keep their code: %s', async (code, number) => {
    expect(await ask('dllm_fail', { code })).toEqual({
      jsonrpc: '2.0',
      error: { code: number, message: 'The purse is lost. Look for it.', data: { code, details: { height: 7 } } },
      id: 1,
    })
  })

  test('never carry their cause', async () => {
    expect(JSON.stringify(await ask('dllm_fail', { code: 'PURSE_LOST' }))).not.toContain('abandon')
  })

  test('that are bugs tell the client nothing, and the node everything', async () => {
    const body = JSON.stringify({ jsonrpc: '2.0', method: 'dllm_bug', params: { secret: 'hunter2' }, id: 1 })
    const { text, bugs } = await say(body)
    expect(JSON.parse(text)).toEqual({ jsonrpc: '2.0', error: { code: -32603, message: 'Internal error' }, id: 1 })
    expect(bugs).toMatchObject([{ message: 'cannot read hunter2' }])
  })

  test.each(['infinity', 'bytes', 'cycle'])('in writing JSON are bugs: %s', async (what) => {
    expect(await ask('dllm_give', { what })).toMatchObject({ error: { code: -32603 } })
  })

  test('of notifications are silent', async () => {
    expect((await say('{"jsonrpc":"2.0","method":"dllm_fail","params":{"code":"PURSE_LOST"}}')).text).toBe('')
  })

  test('of size are told', async () => {
    const reply = await ask('dllm_give', { what: 'huge' })
    expect(reply).toMatchObject({ error: { code: -32001, data: { code: 'CONTROL_REPLY_TOO_LARGE' } } })
  })

  test.each([
    ['are missing', {}, 'PARAM_MISSING', 'amount'],
    ['are null', { amount: null }, 'PARAM_MISSING', 'amount'],
    ['are wrong', { amount: 5 }, 'PARAM_BAD', 'amount'],
    ['are unknown', { amount: '5', colour: 'red' }, 'PARAM_UNKNOWN', 'colour'],
  ])('of parameters that %s name the parameter', async (_case, params, code, param) => {
    expect(await ask('dllm_pay', params)).toMatchObject({ error: { code: -32602, data: { code, details: { param } } } })
  })

  test('of too many parameters by position are refused', async () => {
    expect(await ask('dllm_pay', ['5', '6'])).toMatchObject({
      error: { code: -32602, data: { code: 'PARAM_UNKNOWN' } },
    })
  })
})

describe('results', () => {
  test('carry grains as decimal strings, to the last digit', async () => {
    expect(await ask('dllm_pay', { amount: '9007199254740993' })).toMatchObject({
      result: { paid: '9007199254740994' },
    })
  })

  test('that are nothing are null', async () => {
    expect(await ask('dllm_give', { what: 'nothing' })).toEqual({ jsonrpc: '2.0', result: null, id: 1 })
  })
})

describe('streams', () => {
  const request = '{"jsonrpc":"2.0","method":"dllm_count","params":{"upTo":2},"id":1}'

  test('are lines of items and a last line', async () => {
    const { type, text } = await say(request)
    expect(type).toBe('stream')
    expect(text).toBe('{"item":{"n":1,"amount":"1"}}\n{"item":{"n":2,"amount":"2"}}\n{"end":true}\n')
  })

  test('with wrong parameters are an ordinary answer', async () => {
    const { type, text } = await say('{"jsonrpc":"2.0","method":"dllm_count","params":{},"id":1}')
    expect(type).toBe('answer')
    expect(JSON.parse(text)).toMatchObject({ error: { code: -32602 }, id: 1 })
  })

  test('as notifications do nothing', async () => {
    expect(await say('{"jsonrpc":"2.0","method":"dllm_count","params":{"upTo":2}}')).toMatchObject({ text: '' })
  })

  test('of a node that stops end with its reason', async () => {
    const controller = new AbortController()
    controller.abort(controlError('CONTROL_STOPPING'))
    const { text } = await say(request, controller.signal)
    expect(JSON.parse(text)).toMatchObject({ error: { code: -32003, data: { code: 'CONTROL_STOPPING' } } })
  })
})
