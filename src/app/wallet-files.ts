/**
 * Keystore files on disk: one private file per wallet, written once and never replaced. Knows names and bytes, not what
 * is in them. Spec: docs/spec/keys.md §5.3.
 * @module
 */
import { chmod, type FileHandle, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { HouseError } from '../base/error.ts'
import { INPUT_LIMITS, WALLET_LIMITS } from '../base/limits.ts'
import type { Random } from '../base/ports.ts'

export class WalletFileError extends HouseError<
  | 'WALLET_BAD_NAME'
  | 'WALLET_EXISTS'
  | 'WALLET_NOT_FOUND'
  | 'WALLET_TOO_OPEN'
  | 'WALLET_TOO_LARGE'
  | 'WALLET_TOO_MANY'
  | 'WALLET_NOT_READABLE'
  | 'WALLET_NOT_WRITTEN'
> {}

const SUFFIX = '.json'
const FILE_MODE = 0o600
const FOLDER_MODE = 0o700
const OTHERS = 0o077

/** Absolute path of a wallet's file. @throws WalletFileError WALLET_BAD_NAME */
export function walletPath(folder: string, name: string): string {
  const isName = /^[a-z0-9][a-z0-9_-]*$/.test(name) && name.length <= WALLET_LIMITS.nameCharactersMax
  if (isName) return join(folder, name + SUFFIX)
  throw new WalletFileError(
    'WALLET_BAD_NAME',
    `${JSON.stringify(name.slice(0, 64))} cannot be a wallet's name. Use up to ${WALLET_LIMITS.nameCharactersMax} of a to z, 0 to 9, - and _, beginning with a letter or digit.`,
  )
}

/** Names of all wallets, sorted; none when the folder is missing. */
export async function walletNames(folder: string): Promise<string[]> {
  const files = await readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return []
    throw notReadable(folder, error)
  })
  const names = files.filter((file) => file.endsWith(SUFFIX) && !file.startsWith('.'))
  if (names.length > WALLET_LIMITS.walletsMax) {
    throw new WalletFileError(
      'WALLET_TOO_MANY',
      `${folder} has more than ${WALLET_LIMITS.walletsMax} wallets. Move some away.`,
    )
  }
  return names.map((file) => file.slice(0, -SUFFIX.length)).sort()
}

/** @throws WalletFileError WALLET_EXISTS when there is a wallet of this name. */
export async function checkUnused(folder: string, name: string): Promise<void> {
  const found = await stat(walletPath(folder, name)).catch(() => undefined)
  if (found !== undefined) throw exists(name)
}

/**
 * Reads a wallet's file, at most 64 KiB.
 * @throws WalletFileError WALLET_NOT_FOUND, WALLET_TOO_OPEN when other users may read it, WALLET_TOO_LARGE.
 */
export async function readWalletFile(folder: string, name: string): Promise<string> {
  const path = walletPath(folder, name)
  const file = await open(path, 'r').catch(async (error: unknown) => {
    throw systemCode(error) === 'ENOENT' ? await notFound(folder, name) : notReadable(path, error)
  })
  try {
    await checkPrivate(file, path)
    return await readBounded(file, path)
  } catch (error) {
    throw error instanceof HouseError ? error : notReadable(path, error)
  } finally {
    await file.close()
  }
}

/**
 * Writes a new wallet's file, 0600 in a folder 0700: a temporary file, fsync, then a hard link to the final name,
 * which fails where the name is taken. The result is its path.
 * @throws WalletFileError WALLET_EXISTS, WALLET_NOT_WRITTEN.
 */
export async function writeWalletFile(
  target: { folder: string; name: string },
  text: string,
  random: Random,
): Promise<string> {
  const { folder, name } = target
  const path = walletPath(folder, name)
  const temporary = join(folder, `.new-${Buffer.from(random.bytes(8)).toString('hex')}`)
  try {
    await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
    await chmod(folder, FOLDER_MODE)
    await writeAndSync(temporary, text)
    await publish(temporary, path, name)
    await syncFolder(folder)
    return path
  } catch (error) {
    if (error instanceof HouseError) throw error
    throw new WalletFileError('WALLET_NOT_WRITTEN', `The wallet was not written to ${folder}: ${reason(error)}.`, {
      cause: error,
    })
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined)
  }
}

/** Gives the finished file its name without ever replacing another file. */
async function publish(temporary: string, path: string, name: string): Promise<void> {
  try {
    await link(temporary, path)
  } catch (error) {
    const code = systemCode(error)
    if (code === 'EEXIST') throw exists(name)
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EOPNOTSUPP') throw error
    // No hard links on this file system: reserve the name, then move the finished file over our own reservation.
    const reservation = await open(path, 'wx', FILE_MODE).catch((cause: unknown) => {
      throw systemCode(cause) === 'EEXIST' ? exists(name) : cause
    })
    await reservation.close()
    await rename(temporary, path)
  }
}

async function writeAndSync(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', FILE_MODE)
  try {
    // The mode given to open is cut by the umask; this one is not.
    await file.chmod(FILE_MODE)
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Makes the new name durable; some systems cannot sync folders, which costs durability only. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined)
  if (handle === undefined) return
  await handle.sync().catch(() => undefined)
  await handle.close()
}

/** Windows has no such bits: its files are private to the user's profile. */
async function checkPrivate(file: FileHandle, path: string): Promise<void> {
  const { mode } = await file.stat()
  if (process.platform === 'win32' || (mode & OTHERS) === 0) return
  const shown = (mode & 0o777).toString(8).padStart(4, '0')
  throw new WalletFileError(
    'WALLET_TOO_OPEN',
    `Other users of this machine can reach the wallet file (mode ${shown}). Run \`chmod 600 ${path}\`, then try again; if they may have read it, its password is all that protects it.`,
    { details: { path, mode: shown } },
  )
}

async function readBounded(file: FileHandle, path: string): Promise<string> {
  const limit = INPUT_LIMITS.keystoreFileBytesMax
  const buffer = Buffer.alloc(limit + 1)
  let length = 0
  while (length <= limit) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length)
    if (bytesRead === 0) return buffer.toString('utf8', 0, length)
    length += bytesRead
  }
  throw new WalletFileError('WALLET_TOO_LARGE', `${path} is too large to be a wallet file.`, { details: { path } })
}

async function notFound(folder: string, name: string): Promise<WalletFileError> {
  const names = await walletNames(folder)
  const hint =
    names.length === 0
      ? 'There is none yet: make one with `dllm wallet new`.'
      : `There is ${names.slice(0, 10).join(', ')}${names.length > 10 ? ' and more' : ''}. Name one of those, or make it with \`dllm wallet new\`.`
  return new WalletFileError('WALLET_NOT_FOUND', `There is no wallet named ${name}. ${hint}`, { details: { name } })
}

function exists(name: string): WalletFileError {
  return new WalletFileError(
    'WALLET_EXISTS',
    `There is already a wallet named ${name}, and wallets are never overwritten. Choose another name with --name.`,
    { details: { name } },
  )
}

function notReadable(path: string, cause: unknown): WalletFileError {
  return new WalletFileError('WALLET_NOT_READABLE', `${path} cannot be read: ${reason(cause)}.`, {
    details: { path },
    cause,
  })
}

function reason(error: unknown): string {
  const code = systemCode(error)
  if (code === 'EACCES' || code === 'EPERM') return 'this user has no permission'
  if (code === 'EROFS') return 'the disk is read-only'
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'the disk is full'
  if (code === 'EISDIR') return 'it is a folder'
  if (code === 'ENOTDIR' || code === 'EEXIST') return 'a file is where the folder should be'
  return code ?? 'unknown cause'
}

function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
