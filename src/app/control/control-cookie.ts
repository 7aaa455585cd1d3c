/**
 * The cookie: 32 random bytes that a node writes into its folder (0600) at every start. Who can read the file may
 * command the node. Spec: docs/spec/control.md §1.
 * @module
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { bytesToHex } from '@noble/hashes/utils.js'
import type { Random } from '../../base/ports.ts'
import { writeFileAtomic } from '../home.ts'
import { NodeFolderError } from './control-errors.ts'

const COOKIE_BYTES = 32
const COOKIE_FILE = 'control.cookie'
const COOKIE_PATTERN = /^[0-9a-f]{64}$/
const BEARER_PATTERN = /^Bearer +([!-~]{1,128})$/i

/** Writes a new cookie into a node's folder and returns it. */
export async function writeCookie(folder: string, random: Random): Promise<string> {
  const cookie = bytesToHex(random.bytes(COOKIE_BYTES))
  await writeFileAtomic(join(folder, COOKIE_FILE), cookie)
  return cookie
}

/** @throws NodeFolderError NODE_COOKIE_UNREADABLE when the file is missing, closed to this user, or damaged. */
export async function readCookie(folder: string): Promise<string> {
  const path = join(folder, COOKIE_FILE)
  const text = await readFile(path, 'utf8').catch(() => undefined)
  const cookie = text?.trim()
  if (cookie !== undefined && COOKIE_PATTERN.test(cookie)) return cookie
  const problem = text === undefined ? 'cannot be read' : 'is damaged'
  throw new NodeFolderError(
    'NODE_COOKIE_UNREADABLE',
    `A node runs in ${folder}, but its cookie ${problem}. Run this as the user who started the node, or start the node again.`,
    { details: { folder } },
  )
}

/** Removes the cookie file if it is still this one: another node may have started in the folder since. */
export async function removeCookie(folder: string, cookie: string): Promise<void> {
  const path = join(folder, COOKIE_FILE)
  const found = await readFile(path, 'utf8').catch(() => undefined)
  if (found?.trim() === cookie) await rm(path, { force: true })
}

/** Whether an Authorization header carries the cookie; the time taken does not depend on how much of it is right. */
export function isAuthorized(header: string | undefined, cookie: string): boolean {
  const given = BEARER_PATTERN.exec(header ?? '')?.[1]
  // Digests have equal lengths, which the comparison needs and which hides that of the cookie.
  return given !== undefined && timingSafeEqual(digest(given), digest(cookie))
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}
