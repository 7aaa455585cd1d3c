/**
 * `dllm doctor`: all checks in the order in which a newcomer meets them. A check that breaks is a finding too.
 * @module
 */
import type { Clock } from '../../base/ports.ts'
import { loadConfig } from '../config.ts'
import type { Home } from '../home.ts'
import { checkEngine } from './engine.ts'
import { type Finding, failed } from './finding.ts'
import { checkGpu } from './gpu.ts'
import { checkBandwidth, checkMemory, checkProcessor } from './machine.ts'
import { checkListen, checkLoopback, checkMulticast } from './network.ts'
import { checkClock, checkNode, checkOpenFiles, checkWasm } from './runtime.ts'
import { checkDisk, checkHome, checkModels, checkNetworks } from './storage.ts'

export interface DoctorOptions {
  readonly homePath: string
  /** Called with each finding as soon as it is there. */
  readonly onFinding: (finding: Finding) => void
  readonly signal: AbortSignal
}

type Check = readonly [id: string, what: string, check: () => Finding | Promise<Finding>]

/** Runs the checks one after the other, so that none disturbs the measurement of another. */
export async function diagnose(options: DoctorOptions, ports: { readonly clock: Clock }): Promise<Finding[]> {
  const findings: Finding[] = []
  const add = (finding: Finding): void => {
    findings.push(finding)
    options.onFinding(finding)
  }
  const { finding, home } = await checkHome(options.homePath)
  add(finding)
  for (const [id, what, check] of [...(home === undefined ? [] : homeChecks(home)), ...machineChecks(ports.clock)]) {
    options.signal.throwIfAborted()
    add(await attempt(id, what, check))
  }
  return findings
}

function homeChecks(home: Home): Check[] {
  const settings = async () => (await loadConfig({ home, env: process.env })).settings
  return [
    ['disk', 'The check of the disk', () => checkDisk(home)],
    ['models', 'The check of the models', async () => checkModels(home, (await settings()).model)],
    ['networks', 'The check of the networks', async () => checkNetworks(home, (await settings()).network)],
    ['processor', 'The check of the processor', async () => checkProcessor((await settings()).threads)],
    ['network.listen', 'The check of the listening address', async () => checkListen((await settings()).listen)],
  ]
}

function machineChecks(clock: Clock): Check[] {
  return [
    ['node', 'The check of Node', () => checkNode()],
    ['wasm', 'The check of WebAssembly', checkWasm],
    ['engine', 'The check of the engine', checkEngine],
    ['engine.gpu', 'The check of GPUs', () => checkGpu({ clock })],
    ['memory', 'The check of the memory', checkMemory],
    ['memory.bandwidth', 'The measurement of the memory', checkBandwidth],
    ['network.loopback', 'The check of loopback', checkLoopback],
    ['network.mdns', 'The check of multicast', () => checkMulticast(clock)],
    ['openFiles', 'The check of the file limit', checkOpenFiles],
    ['clock', 'The check of the clock', () => checkClock(clock)],
  ]
}

async function attempt(id: string, what: string, check: Check[2]): Promise<Finding> {
  try {
    return await check()
  } catch (error) {
    return failed(id, what, error)
  }
}
