/**
 * Where the time of a token goes in the main threads of a ring's stages: answers of a ring, profiled, as a table per stage. For people who want to know why
 * a line of the benchmark is what it is; docs/speed.md has such tables.
 *
 *   node bench/profile-ring.ts [--model TEXT] [--stages 3] [--rtt 0] [--chats 1] [--tokens 400] [--prompt 16]
 * @module
 */
import { parseArgs } from 'node:util'
import { withBench } from './bench.ts'
import { describeMachine, machineText } from './machine.ts'
import type { ProfileLine } from './ring/profile.ts'
import { startRing } from './ring/ring.ts'

const WARM_UPS = 4
const { values: flags } = parseArgs({
  options: {
    model: { type: 'string', default: 'genesis' },
    stages: { type: 'string', default: '3' },
    rtt: { type: 'string', default: '0' },
    chats: { type: 'string', default: '1' },
    tokens: { type: 'string', default: '400' },
    prompt: { type: 'string', default: '16' },
  },
})
console.log(machineText(await describeMachine()))
const signal = new AbortController().signal
await withBench({ quick: false, modelFilter: flags.model, signal, progress: () => undefined }, (bench) =>
  bench.forEachModel(async (model) => {
    const [roundTripMs, tokens, chats] = [Number(flags.rtt), Number(flags.tokens), Number(flags.chats)]
    const means = roundTripMs === 0 ? 'loopback' : undefined
    const ring = await startRing(bench, model, { stages: Number(flags.stages), means })
    try {
      await ring.setOneWay(roundTripMs / 2)
      const promptTokens = Number(flags.prompt)
      const order = { chats, promptTokens, tokens, capacity: promptTokens + tokens + 1 }
      for (let run = 0; run < WARM_UPS; run++) await ring.answer(order)
      await ring.usage()
      await ring.profile(true)
      const { tokenMs, firstTokenMs, engineMs } = await ring.answer(order)
      const stages = await ring.profile(false)
      const usage = await ring.usage()
      console.log(`\n${model.label}, ${stages.length} stages, ${roundTripMs} ms RTT, ${chats} chats, ${tokens} tokens`)
      console.log(
        `token ${tokenMs.toFixed(2)} ms, of it in engines ${engineMs.toFixed(2)}; first ${firstTokenMs.toFixed(1)} ms`,
      )
      for (const [index, lines] of stages.entries()) {
        const { cpuMs, rssBytes } = usage[index]!
        console.log(
          `\nstage ${index + 1}: CPU of all threads ${cpuMs.toFixed(0)} ms, RSS ${(rssBytes / 1e6).toFixed(0)} MB`,
        )
        console.log(tableOf(lines, tokens * chats))
      }
    } finally {
      await ring.close()
    }
  }),
)

function tableOf(lines: readonly ProfileLine[], tokens: number): string {
  const all = lines.reduce((sum, { ms }) => sum + ms, 0)
  const head = `| µs per token | share | part of the main thread | most of it |\n|---|---|---|---|`
  const total = `| ${perToken(all, tokens)} | 100 % | all | |`
  const rows = lines.map(({ part, ms, functions }) => {
    const most = functions.map(([name, spent]) => `${name} ${perToken(spent, tokens)}`).join(', ')
    return `| ${perToken(ms, tokens)} | ${Math.round((100 * ms) / all)} % | ${part} | ${most} |`
  })
  return [head, total, ...rows].join('\n')
}

function perToken(ms: number, tokens: number): string {
  return ((ms * 1_000) / tokens).toFixed(1)
}
