/**
 * GET requests to a hub: redirects are followed here, so that the token goes to the hub's own origin alone; what is cut, refused for
 * now or slow is tried again; what a hub never says is refused. Spec: docs/spec/model.md §11.
 * @module
 */
import { milliseconds } from '../../base/brand.ts'
import { HUB_LIMITS } from '../../base/limits.ts'
import type { Clock } from '../../base/ports.ts'
import { HubError } from './hub-error.ts'

export interface HubAccess {
  /** Origin and path of the hub, or of a mirror of it. */
  readonly endpoint: URL
  /** Of the environment; never shown. */
  readonly token: string | undefined
}

export interface GetOptions {
  readonly accept?: string
  /** Bytes from here to the end. */
  readonly from?: number
}

/** An answer whose body is being sent. `end` lets go of it. */
export interface Answer {
  readonly response: Response
  readonly url: URL
  /** The body, in pieces. Throws CutError where it does not go on. */
  body(): AsyncGenerator<Uint8Array>
  end(): void
}

export interface HubHttp {
  readonly access: HubAccess
  /** An answer of status 200 or 206. Throws HubError, or the signal's reason. */
  get(url: URL, options?: GetOptions): Promise<Answer>
  /** Waits before attempt `attempt` (from 1), or throws HUB_UNREACHABLE after too many. */
  waitForAttempt(attempt: number, why: string): Promise<void>
}

/** A connection that ended or stood still; another attempt may help. */
export class CutError extends Error {}

/** All requests of one download; they end when `signal` is aborted. */
export function createHubHttp(access: HubAccess, { clock }: { clock: Clock }, signal: AbortSignal): HubHttp {
  const waitForAttempt = async (attempt: number, why: string): Promise<void> => {
    if (attempt > HUB_LIMITS.attemptsMax) {
      throw new HubError(
        'HUB_UNREACHABLE',
        `${access.endpoint.host} does not answer: ${why}. Check the connection and run this again; what was downloaded is kept.`,
      )
    }
    await clock.sleep(milliseconds(Math.min(HUB_LIMITS.firstWaitMs * 2 ** (attempt - 1), HUB_LIMITS.waitMsMax)), signal)
  }
  return {
    access,
    waitForAttempt,
    async get(url, options = {}) {
      for (let attempt = 1; ; attempt++) {
        try {
          const answer = await follow(url, options, { access, clock, signal })
          const waitMs = waitOf(answer)
          if (waitMs === undefined) return answer
          answer.end()
          if (attempt > HUB_LIMITS.attemptsMax) throw busy(answer.url)
          await clock.sleep(milliseconds(waitMs), signal)
        } catch (error) {
          signal.throwIfAborted()
          if (!(error instanceof CutError)) throw error
          await waitForAttempt(attempt, error.message)
        }
      }
    },
  }
}

interface Request {
  readonly access: HubAccess
  readonly clock: Clock
  readonly signal: AbortSignal
}

async function follow(first: URL, options: GetOptions, request: Request): Promise<Answer> {
  let url = first
  for (let redirects = 0; redirects <= HUB_LIMITS.redirectsMax; redirects++) {
    checkScheme(url, request.access)
    const answer = await send(url, options, request)
    const { status, headers } = answer.response
    const location = headers.get('location')
    if (status < 300 || status > 399 || location === null) return checked(answer)
    answer.end()
    if (!URL.canParse(location, url.href)) throw badAnswer(url, 'redirects to nowhere')
    const next = new URL(location, url)
    if (url.protocol === 'https:' && next.protocol !== 'https:') throw badAnswer(url, 'redirects to an open connection')
    url = next
  }
  throw badAnswer(url, 'redirects in circles')
}

function checkScheme({ protocol, hostname }: URL, { token }: HubAccess): void {
  if (protocol !== 'https:' && protocol !== 'http:')
    throw new HubError('HUB_BAD_NAME', 'A mirror has an address that starts with https://.')
  const isLocal = ['127.0.0.1', '[::1]', 'localhost'].includes(hostname)
  if (protocol === 'http:' && token !== undefined && !isLocal) {
    throw new HubError('HUB_BAD_NAME', 'HF_TOKEN is sent over https only. Give an https:// address, or unset HF_TOKEN.')
  }
}

async function send(url: URL, { accept, from }: GetOptions, { access, clock, signal }: Request): Promise<Answer> {
  const slow = new AbortController()
  let cancel = (): void => {}
  const watch = (): void => {
    cancel()
    cancel = clock.schedule(milliseconds(HUB_LIMITS.silenceMs), () =>
      slow.abort(new CutError('nothing came for a while')),
    )
  }
  const isHub = url.origin === access.endpoint.origin
  watch()
  try {
    const response = await fetch(url, {
      redirect: 'manual',
      signal: AbortSignal.any([signal, slow.signal]),
      headers: {
        // Compressed answers have no ranges, and a length that is not the file's.
        'accept-encoding': 'identity',
        ...(accept === undefined ? {} : { accept }),
        ...(from === undefined || from === 0 ? {} : { range: `bytes=${from}-` }),
        ...(isHub && access.token !== undefined ? { authorization: `Bearer ${access.token}` } : {}),
      },
    })
    cancel()
    return {
      response,
      url,
      end: () => {
        cancel()
        slow.abort(new CutError('it was let go'))
      },
      async *body() {
        try {
          watch()
          for await (const piece of response.body ?? []) {
            watch()
            yield piece as Uint8Array
          }
        } catch (error) {
          throw asCut(error, signal)
        } finally {
          cancel()
        }
      },
    }
  } catch (error) {
    cancel()
    throw asCut(error, signal)
  }
}

function asCut(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason
  if (error instanceof CutError) return error
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : undefined
  return new CutError(cause ?? (error instanceof Error ? error.message : 'the connection ended'))
}

/** Statuses that end it. */
function checked(answer: Answer): Answer {
  const { status, headers } = answer.response
  if (status === 200 || status === 206 || isTemporary(status)) return answer
  answer.end()
  // To strangers, the hub says 401 of models that are not there.
  if (status === 404 || headers.get('x-error-code') === 'RepoNotFound') {
    throw new HubError(
      'HUB_NOT_FOUND',
      `${answer.url.host} has no such model, revision or file. Check the name; private ones need HF_TOKEN.`,
    )
  }
  if (status === 401 || status === 403) {
    throw new HubError(
      'HUB_FORBIDDEN',
      `${answer.url.host} does not give this model to everybody. Accept its terms there, and set HF_TOKEN to a token of your account.`,
    )
  }
  throw badAnswer(answer.url, `answers with status ${status}`)
}

function isTemporary(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status <= 599)
}

/**
 * How long to wait before the same question; undefined for an answer. Throws HUB_BUSY where that is too long, and CutError where
 * nobody says how long.
 */
function waitOf({ response, url }: Answer): number | undefined {
  const { status, headers } = response
  if (!isTemporary(status)) return undefined
  const seconds = Number(headers.get('retry-after') ?? Number.NaN)
  if (seconds * 1_000 > HUB_LIMITS.retryAfterMsMax) throw busy(url)
  if (seconds >= 0) return seconds * 1_000
  if (status === 429) return HUB_LIMITS.waitMsMax
  throw new CutError(`it answers with status ${status}`)
}

function busy({ host }: URL): HubError {
  return new HubError('HUB_BUSY', `${host} asks to come back later. Run this again then; what was downloaded is kept.`)
}

/** For an answer that is none of the API's. */
export function badAnswer({ host }: URL, problem: string): HubError {
  return new HubError(
    'HUB_BAD_ANSWER',
    `${host} ${problem}. Check the address, and that no portal or proxy stands in between.`,
  )
}
