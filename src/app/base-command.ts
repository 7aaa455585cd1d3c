/**
 * What every command shares: global flags, ports, the abort signal of Ctrl-C, output for people and for programs,
 * and errors as one sentence with a code. Imports nothing heavy: a command loads its work inside `run`.
 * People read stdout through `print` and `printLine`; programs read one JSON value, or NDJSON through `emit`.
 * Spec: docs/spec/cli.md.
 * @module
 */
import { Command, Flags, type Interfaces } from '@oclif/core'
import { HouseError } from '../base/error.ts'
import type { LogLevel } from '../base/ports.ts'
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.ts'
import type { Home } from './home.ts'
import { defaultHomePath, openHome } from './home.ts'
import { createSystem, logLevelFrom, type System } from './system.ts'
import { usageSentence } from './usage-text.ts'

/** The user pressed Ctrl-C, or the process was asked to end. */
export class InterruptError extends HouseError<'INTERRUPTED'> {}

/** The command line is wrong in a way that the flag parser cannot see. */
export class UsageError extends HouseError<'USAGE'> {}

/** Flags that every command has; pass the parsed flags to `system` and `home`. */
export interface GlobalFlags {
  readonly home: string | undefined
  readonly network: string | undefined
  readonly verbose: boolean
}

interface Failure {
  readonly code: string
  readonly message: string
  readonly exitCode: ExitCode
  readonly details?: Readonly<Record<string, unknown>>
  /** Where a bug was found; absent for expected failures. */
  readonly stack?: string | undefined
}

export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true
  static override baseFlags: Interfaces.FlagInput<{
    home: string | undefined
    network: string | undefined
    verbose: boolean
  }> = {
    home: Flags.string({
      description: 'Folder for keys, models and settings.',
      env: 'DLLM_HOME',
      helpGroup: 'GLOBAL',
      helpValue: 'FOLDER',
    }),
    network: Flags.string({
      description: 'Network to talk to; `dllm network list` shows the names.',
      helpGroup: 'GLOBAL',
      helpValue: 'NAME',
    }),
    verbose: Flags.boolean<boolean>({ description: 'Log what happens to stderr.', helpGroup: 'GLOBAL' }),
  }

  #abort: AbortController | undefined
  #hasEmitted = false

  /**
   * Fires at Ctrl-C or SIGTERM with an InterruptError. A second Ctrl-C ends the process at once. Until a command reads
   * this for the first time, Ctrl-C keeps its default meaning.
   */
  protected get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      process.on('SIGINT', this.#onInterrupt)
      process.on('SIGTERM', this.#onInterrupt)
    }
    return this.#abort.signal
  }

  /** Clock, random and log of this process. `level` is used when neither --verbose nor DLLM_LOG says otherwise. */
  protected system(flags: GlobalFlags, level: LogLevel = 'warn'): System {
    return createSystem({ level: flags.verbose ? 'debug' : logLevelFrom(process.env['DLLM_LOG'], level) })
  }

  /** Opens the data folder, creating it at the first use. */
  protected home(flags: GlobalFlags): Promise<Home> {
    return openHome({ path: flags.home ?? defaultHomePath() })
  }

  /** Text for people; nothing under --json. */
  protected print(text: string): void {
    this.write(this.asTyped(text))
  }

  /** Text that is not ours, as is; nothing under --json. */
  protected write(text: string): void {
    if (!this.jsonEnabled()) process.stdout.write(text)
  }

  /** Commands that a text names, as the person types them: `npx dllm …` for who came by npx. */
  protected asTyped(text: string): string {
    const { bin } = this.config
    return bin === 'dllm' ? text : text.replace(/(`|^ +)dllm (?=[a-z])/gm, `$1${bin} `)
  }

  /** A line for people; nothing under --json. */
  protected printLine(text = ''): void {
    this.print(`${text}\n`)
  }

  /** A remark for people on stderr that is not part of the result; nothing under --json. */
  protected note(text: string): void {
    if (!this.jsonEnabled()) process.stderr.write(this.asTyped(`${text}\n`))
  }

  /** One NDJSON line for programs; nothing without --json. The command's result becomes the last line. */
  protected emit(value: object): void {
    if (!this.jsonEnabled()) return
    this.#hasEmitted = true
    process.stdout.write(`${toJson(value)}\n`)
  }

  /** Resolves when stdout took what was written: streams that can outrun a slow pipe await it. */
  protected async flushed(): Promise<void> {
    if (!process.stdout.writableNeedDrain) return
    await new Promise<void>((resolve) => process.stdout.once('drain', resolve))
  }

  override logJson(value: unknown): void {
    process.stdout.write(`${toJson(value, this.#hasEmitted ? 0 : 2)}\n`)
  }

  protected override async catch(error: unknown): Promise<void> {
    if (isExit(error)) throw error
    // Otherwise oclif warns that flags which could not be parsed were not parsed.
    this.parsed = true
    const failure = this.#failureOf(error)
    process.exitCode = failure.exitCode
    if (this.jsonEnabled()) {
      const { code, message, details } = failure
      this.logJson({ error: { code, message, ...(details === undefined ? {} : { details }) } })
      return
    }
    process.stderr.write(this.asTyped(`Error: ${failure.message} (${failure.code})\n`))
    if (failure.code === 'USAGE') process.stderr.write(`See \`${this.#name()} --help\`.\n`)
    if (failure.stack !== undefined) process.stderr.write(`${failure.stack}\n`)
  }

  protected override async finally(error: Error | undefined): Promise<void> {
    process.off('SIGINT', this.#onInterrupt)
    process.off('SIGTERM', this.#onInterrupt)
    await super.finally(error)
  }

  readonly #onInterrupt = (): void => {
    if (this.#abort?.signal.aborted) process.exit(EXIT.interrupted)
    this.#abort?.abort(new InterruptError('INTERRUPTED', 'Interrupted.'))
  }

  #name(): string {
    return [this.config.bin, ...(this.id ?? '').split(':')].join(' ')
  }

  #failureOf(error: unknown): Failure {
    if (this.#abort?.signal.aborted && isAbort(error)) {
      return { code: 'INTERRUPTED', message: 'Interrupted.', exitCode: EXIT.interrupted }
    }
    if (error instanceof HouseError) {
      const { code, message, details } = error
      return { code, message, exitCode: exitCodeOf(code), ...(Object.keys(details).length > 0 ? { details } : {}) }
    }
    if (!(error instanceof Error)) return { code: 'BUG', message: String(error), exitCode: EXIT.failure }
    if ('oclif' in error) return { code: 'USAGE', message: usageSentence(error.message), exitCode: EXIT.usage }
    return {
      code: 'BUG',
      message: `This is a bug in dllm: ${error.message}`,
      exitCode: EXIT.failure,
      stack: error.stack,
    }
  }
}

/** JSON in which bigints are decimal strings, so that amounts of grains keep every digit. */
function toJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? item.toString() : item), indent)
}

function isAbort(error: unknown): boolean {
  return error instanceof InterruptError || (error instanceof Error && error.name === 'AbortError')
}

/** oclif's own way to end with a code: `this.exit(code)`. */
function isExit(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIT'
}
