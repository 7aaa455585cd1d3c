/**
 * The control server's socket against requests that are wrong, too large, too slow or too many: real HTTP on loopback.
 * @module
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, expect, onTestFinished, test } from 'vitest'
import { until } from '../fake-clock.ts'
import { httpText, sendRaw, startControl } from './control-world.ts'

const MIB = 1_024 * 1_024

describe('a request', () => {
  test('with the cookie is answered, without a CORS header and never cached', async () => {
    const world = await startControl()
    const answer = await sendRaw(world.file.port, httpText(world))
    expect(answer).toMatchObject({ status: 200, body: '{"jsonrpc":"2.0","result":{"text":"hi"},"id":1}' })
    expect(answer.head).toContain('content-type: application/json')
    expect(answer.head).toContain('cache-control: no-store')
    expect(answer.head).not.toContain('access-control')
  })

  test.each<[string, number, string, Parameters<typeof httpText>[1]]>([
    ['no cookie', 401, 'CONTROL_UNAUTHORIZED', { headers: { Authorization: undefined } }],
    ['a wrong cookie', 401, 'CONTROL_UNAUTHORIZED', { headers: { Authorization: `Bearer ${'0'.repeat(64)}` } }],
    ['a short cookie', 401, 'CONTROL_UNAUTHORIZED', { headers: { Authorization: 'Bearer 0' } }],
    ['an empty cookie', 401, 'CONTROL_UNAUTHORIZED', { headers: { Authorization: 'Bearer ' } }],
    ['another scheme', 401, 'CONTROL_UNAUTHORIZED', { headers: { Authorization: 'Basic ZGxsbTpkbGxt' } }],
    ['the name of a stranger', 403, 'CONTROL_HOST_REFUSED', { headers: { Host: 'evil.example:80' } }],
    ['a name that begins like ours', 403, 'CONTROL_HOST_REFUSED', { headers: { Host: '127.0.0.1.evil.example' } }],
    ['an empty host', 403, 'CONTROL_HOST_REFUSED', { headers: { Host: '' } }],
    ['an origin', 403, 'CONTROL_ORIGIN_REFUSED', { headers: { Origin: 'http://localhost:3000' } }],
    ['no origin worth the name', 403, 'CONTROL_ORIGIN_REFUSED', { headers: { Origin: 'null' } }],
    ['GET', 405, 'CONTROL_POST_ONLY', { line: 'GET / HTTP/1.1' }],
    ['PUT', 405, 'CONTROL_POST_ONLY', { line: 'PUT / HTTP/1.1' }],
    ['OPTIONS', 405, 'CONTROL_POST_ONLY', { line: 'OPTIONS / HTTP/1.1' }],
    ['another path', 404, 'CONTROL_PATH_UNKNOWN', { line: 'POST /rpc HTTP/1.1' }],
    ['a form', 415, 'CONTROL_JSON_ONLY', { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }],
    ['plain text', 415, 'CONTROL_JSON_ONLY', { headers: { 'Content-Type': 'text/plain' } }],
    ['no type', 415, 'CONTROL_JSON_ONLY', { headers: { 'Content-Type': undefined } }],
    ['another charset', 415, 'CONTROL_JSON_ONLY', { headers: { 'Content-Type': 'application/json; charset=utf-16' } }],
    ['a compressed body', 415, 'CONTROL_JSON_ONLY', { headers: { 'Content-Encoding': 'gzip' } }],
    ['a huge body', 413, 'CONTROL_BODY_TOO_LARGE', { body: ' '.repeat(MIB + 1) }],
  ])('with %s is refused', async (_case, status, code, options) => {
    const world = await startControl()
    const answer = await sendRaw(world.file.port, httpText(world, options))
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.body)).toMatchObject({ jsonrpc: '2.0', error: { data: { code } }, id: null })
    expect(answer.head).not.toContain('access-control')
    expect(answer.head + answer.body + world.log.join('')).not.toContain(world.cookie)
    await expect(world.client.call('dllm_echo', { text: 'still here' })).resolves.toEqual({ text: 'still here' })
  })

  test.each<[string, Parameters<typeof httpText>[1]]>([
    ['localhost', { headers: { Host: 'localhost' } }],
    ['a port', { headers: { Host: '127.0.0.1:9' } }],
    ['a charset', { headers: { 'Content-Type': 'application/json; charset=UTF-8' } }],
    [
      'a body of the largest size',
      { body: '{"jsonrpc":"2.0","method":"dllm_echo","params":["hi"],"id":1}'.padEnd(MIB) },
    ],
  ])('may have %s', async (_case, options) => {
    const world = await startControl()
    expect(await sendRaw(world.file.port, httpText(world, options))).toMatchObject({ status: 200 })
  })

  test('may come in chunks, up to the bound', async () => {
    const world = await startControl()
    const chunked = (text: string): string =>
      httpText(world, {
        body: `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`,
        headers: { 'Content-Length': undefined, 'Transfer-Encoding': 'chunked' },
      })
    const small = '{"jsonrpc":"2.0","method":"dllm_echo","params":["hi"],"id":1}'
    expect(await sendRaw(world.file.port, chunked(small))).toMatchObject({ status: 200 })
    expect(await sendRaw(world.file.port, chunked(small.padEnd(MIB + 1)))).toMatchObject({ status: 413 })
  })

  test('that expects leave to send its body gets it, and then the answer', async () => {
    const world = await startControl()
    const { head, body } = await sendRaw(world.file.port, httpText(world, { headers: { Expect: '100-continue' } }))
    expect(head).toContain('100 continue')
    expect(body).toContain('"text":"hi"')
  })

  test('that is a notification is answered with nothing', async () => {
    const world = await startControl()
    const body = '{"jsonrpc":"2.0","method":"dllm_echo","params":["hi"]}'
    expect(await sendRaw(world.file.port, httpText(world, { body }))).toMatchObject({ status: 204, body: '' })
  })

  test.each([
    ['no host', 'POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n', 400],
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['headers without end', `POST / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`, 431],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', 400],
  ])('with %s is refused by the parser', async (_case, text, status) => {
    const world = await startControl()
    expect(await sendRaw(world.file.port, text)).toMatchObject({ status })
  })
})

describe('the server', () => {
  test('does not wait for a body or for headers that never come', async () => {
    const world = await startControl({ limits: { requestMs: 100, headersMs: 50, checkIntervalMs: 20 } })
    const body = httpText(world, { headers: { 'Content-Length': '1000' } })
    expect(await sendRaw(world.file.port, body)).toMatchObject({ status: 408 })
    expect(await sendRaw(world.file.port, 'POST / HTTP/1.1\r\nHost: loc')).toMatchObject({ status: 408 })
  })

  test('takes so many requests at once and refuses more until one ends', async () => {
    const world = await startControl({ limits: { requestsMax: 2 } })
    const controller = new AbortController()
    const waiting = [1, 2].map(() => world.client.call('dllm_wait', {}, controller.signal).catch(() => undefined))
    await until(() => world.begun.length === 2, 'two calls wait')
    await expect(world.client.call('dllm_echo', { text: 'a' })).rejects.toMatchObject({ code: 'CONTROL_BUSY' })
    controller.abort()
    await Promise.all(waiting)
    await until(() => world.reasons.length === 2, 'both calls have ended')
    await expect(world.client.call('dllm_echo', { text: 'a' })).resolves.toEqual({ text: 'a' })
  })

  test('takes so many connections and drops more', async () => {
    const world = await startControl({ limits: { connectionsMax: 2 } })
    const first = await openSocket(world.file.port)
    await openSocket(world.file.port)
    const third = await openSocket(world.file.port)
    await once(third, 'close')
    first.end(httpText(world))
    await once(first, 'close')
    expect(await sendRaw(world.file.port, httpText(world))).toMatchObject({ status: 200 })
  })

  test('is not deceived by requests that follow each other without waiting', async () => {
    const world = await startControl({ limits: { requestsMax: 3 } })
    const open = { headers: { Connection: 'keep-alive' }, body: '{"jsonrpc":"2.0","method":"dllm_wait","id":1}' }
    const socket = await openSocket(world.file.port)
    socket.write(httpText(world, open).repeat(10))
    await until(() => world.begun.length === 3, 'three calls wait')
    await expect(world.client.call('dllm_echo', { text: 'a' })).rejects.toMatchObject({ code: 'CONTROL_BUSY' })
    expect(world.begun).toHaveLength(3)
    socket.destroy()
    await until(() => world.reasons.length === 3, 'all three have ended')
    await expect(world.client.call('dllm_echo', { text: 'a' })).resolves.toEqual({ text: 'a' })
  })

  test('listens on no other interface', async () => {
    const world = await startControl()
    const others = Object.values(networkInterfaces()).flatMap((list) =>
      (list ?? []).filter(({ internal }) => !internal),
    )
    const hosts = ['127.0.0.2', '::1', ...others.filter(({ scopeid }) => !scopeid).map(({ address }) => address)]
    for (const host of hosts) {
      const socket = connect({ host, port: world.file.port })
      await expect(once(socket, 'connect')).rejects.toThrow()
    }
  })

  test('says which port is taken', async () => {
    const world = await startControl()
    const { createControlServer } = await import('../../src/app/control/control-server.ts')
    const other = await startControl()
    const second = createControlServer<Record<never, never>>(
      { folder: `${other.folder}/second`, network: 'lab', methods: {}, port: world.file.port },
      { clock: world.clock, random: { bytes: (length) => new Uint8Array(length) }, log: { write: () => undefined } },
    )
    await expect(second.start()).rejects.toMatchObject({
      code: 'CONTROL_LISTEN_FAILED',
      details: { port: world.file.port, system: 'EADDRINUSE' },
    })
    await second.stop()
  })
})

async function openSocket(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port })
  socket.on('error', () => undefined)
  onTestFinished(() => {
    socket.destroy()
  })
  await once(socket, 'connect')
  socket.resume()
  return socket
}
