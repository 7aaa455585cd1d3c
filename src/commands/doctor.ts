/**
 * `dllm doctor`: is this machine ready, and what to do where it is not.
 * @module
 */
import { BaseCommand } from '../app/base-command.ts'

export default class Doctor extends BaseCommand {
  static override summary = 'Check this machine: Node, kernels, memory, ports, disk, models.'
  static override description = 'Ends with exit code 1 when something stops dllm from working.'
  static override examples = ['<%= config.bin %> doctor', '<%= config.bin %> doctor --json']

  async run(): Promise<object> {
    const { flags } = await this.parse(Doctor)
    const { diagnose } = await import('../app/doctor/doctor.ts')
    const { defaultHomePath } = await import('../app/home.ts')
    const findings = await diagnose(
      {
        homePath: flags.home ?? defaultHomePath(),
        signal: this.signal,
        onFinding: ({ status, summary, advice }) => {
          this.printLine(`${status.padEnd(4)}  ${summary}`)
          if (advice !== undefined) this.printLine(`      ${advice}`)
        },
      },
      this.system(flags),
    )
    const count = (status: string): number => findings.filter((finding) => finding.status === status).length
    const counts = { ok: count('ok'), warn: count('warn'), fail: count('fail') }
    this.printLine(`\n${counts.ok} ok, ${counts.warn} to look at, ${counts.fail} to repair`)
    if (counts.fail > 0) process.exitCode = 1
    return { ...counts, findings }
  }
}
