/**
 * Doctor's checks of the data folder: can it be opened and written, is it private, is there room, which models and networks
 * are there.
 * @module
 */
import { rm, stat, statfs } from 'node:fs/promises'
import { messageOf } from '../../base/error.ts'
import { type Home, openHome, writeFileAtomic } from '../home.ts'
import { openModelStore } from '../model-store.ts'
import { listNetworks } from '../networks.ts'
import { formatBytes } from '../table.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

const GIB = 1024 ** 3
/** Below this a small model does not fit any more. */
const FREE_BYTES_WARN = 5 * GIB
const FREE_BYTES_FAIL = 0.1 * GIB
const OTHERS_MASK = 0o077

/** Opens the folder for the other checks; undefined when it cannot be used. */
export async function checkHome(path: string): Promise<{ finding: Finding; home: Home | undefined }> {
  try {
    const home = await openHome({ path })
    const probe = home.file('.doctor')
    await writeFileAtomic(probe, 'probe\n')
    await rm(probe)
    return { finding: await privacy(home), home }
  } catch (error) {
    const advice = messageOf(error)
    return { finding: fail('home', 'The data folder cannot be used.', advice, { path }), home: undefined }
  }
}

async function privacy(home: Home): Promise<Finding> {
  const values = { path: home.path }
  const { mode } = await stat(home.path)
  if (process.platform === 'win32' || (mode & OTHERS_MASK) === 0) {
    return ok('home', `The data folder ${home.path} can be written.`, values)
  }
  const advice = `Other users of this machine can look into it: \`chmod 700 ${home.path}\`.`
  return warn('home', `The data folder ${home.path} can be written.`, advice, values)
}

export async function checkDisk(home: Home): Promise<Finding> {
  const { bavail, bsize } = await statfs(home.path)
  const freeBytes = bavail * bsize
  const summary = `${formatBytes(freeBytes)} are free on the disk of the data folder.`
  if (freeBytes >= FREE_BYTES_WARN) return ok('disk', summary, { freeBytes })
  const advice = 'Free some space, or choose a folder on another disk with --home.'
  return (freeBytes < FREE_BYTES_FAIL ? fail : warn)('disk', summary, advice, { freeBytes })
}

/** `selected`: what the settings name. */
export function checkModels(home: Home, selected: string): Finding {
  const store = openModelStore({ home: home.path })
  const names = store.list().map(({ manifest }) => manifest.name)
  const [broken] = store.broken()
  const values = { models: names.join(','), broken: store.broken().length }
  if (broken !== undefined) {
    const advice = `Import it again, or remove its folder. ${messageOf(broken.error)}`
    return warn('models', `The model ${broken.name} cannot be used.`, advice, values)
  }
  if (names.length > 0 && !names.includes(selected)) {
    const advice = 'Import it with `dllm model import`, or go back with `dllm config set model --default`.'
    return warn('models', `The setting "model" names ${selected}, which is not on this machine.`, advice, values)
  }
  if (names.length > 0) return ok('models', `Models on this machine: ${names.join(', ')}.`, values)
  return fail(
    'models',
    'There is no model on this machine.',
    'Reinstall dllm, or import one: `dllm model import`.',
    values,
  )
}

/** `selected`: what the settings name. */
export async function checkNetworks(home: Home, selected: string): Promise<Finding> {
  const { networks, damaged } = await listNetworks(home)
  const names = networks.map(({ id }) => id)
  const values = { networks: names.join(','), damaged: damaged.map(({ name }) => name).join(','), selected }
  const [first] = damaged
  if (first !== undefined) return warn('networks', `The network ${first.name} cannot be used.`, first.message, values)
  if (names.includes(selected)) return ok('networks', `Networks known here: ${names.join(', ')}.`, values)
  const advice = `Put its file into ${home.file('networks')}, or go back with \`dllm config set network --default\`.`
  return warn('networks', `The setting "network" names ${selected}, which is not known here.`, advice, values)
}
