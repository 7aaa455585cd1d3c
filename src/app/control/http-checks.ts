/**
 * What a request must look like before anything of it is believed, and its body within bounds.
 * Spec: docs/spec/control.md §1.
 * @module
 */
import type { IncomingMessage } from 'node:http'
import { isAuthorized } from './control-cookie.ts'
import { type ControlCode, type ControlError, controlError } from './control-errors.ts'

/** Any port: a tunnel of the user may have another one. A name that an attacker's DNS can point here is not among them. */
const HOST_PATTERN = /^(?:127\.0\.0\.1|localhost)(?::\d{1,5})?$/i
const JSON_PATTERN = /^application\/json *(?:; *charset="?utf-8"? *)?$/i

const STATUS: Partial<Record<ControlCode, number>> = {
  CONTROL_HOST_REFUSED: 403,
  CONTROL_ORIGIN_REFUSED: 403,
  CONTROL_PATH_UNKNOWN: 404,
  CONTROL_POST_ONLY: 405,
  CONTROL_UNAUTHORIZED: 401,
  CONTROL_JSON_ONLY: 415,
  CONTROL_BODY_TOO_LARGE: 413,
  CONTROL_BUSY: 503,
  CONTROL_STOPPING: 503,
}

/** HTTP status of a refusal. */
export function statusOf(code: ControlCode): number {
  return STATUS[code] ?? 400
}

/** The first rule that the head of a request breaks; undefined when its body may be read. */
export function checkHead(
  request: IncomingMessage,
  rules: { readonly cookie: string; readonly bodyBytesMax: number },
): ControlError | undefined {
  const { headers } = request
  if (!HOST_PATTERN.test(headers.host ?? '')) return controlError('CONTROL_HOST_REFUSED')
  // Browsers send Origin with every POST; programs do not.
  if (headers.origin !== undefined) return controlError('CONTROL_ORIGIN_REFUSED')
  if (request.method !== 'POST') return controlError('CONTROL_POST_ONLY')
  if (!isAuthorized(headers.authorization, rules.cookie)) return controlError('CONTROL_UNAUTHORIZED')
  if (request.url !== '/') return controlError('CONTROL_PATH_UNKNOWN')
  const isPlain = headers['content-encoding'] === undefined || headers['content-encoding'] === 'identity'
  if (!isPlain || !JSON_PATTERN.test(headers['content-type'] ?? '')) return controlError('CONTROL_JSON_ONLY')
  if (Number(headers['content-length'] ?? 0) > rules.bodyBytesMax) return controlError('CONTROL_BODY_TOO_LARGE')
  return undefined
}

/** The body; rejects when the connection breaks. After `too-large` the rest is unread. */
export function readBody(request: IncomingMessage, bytesMax: number): Promise<Uint8Array | 'too-large'> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let length = 0
    const onData = (chunk: Uint8Array): void => {
      length += chunk.length
      chunks.push(chunk)
      if (length <= bytesMax) return
      request.off('data', onData)
      resolve('too-large')
    }
    request.on('data', onData)
    request.once('end', () => resolve(Buffer.concat(chunks)))
    request.once('error', reject)
    request.once('close', () => reject(new Error('the connection closed')))
  })
}
