/**
 * A miner that lies, for tests, run by Node as a program of its own: it does everything that `dllm mine --wallet` does, and what its layers gave to
 * a lease it changes a little before it sends it on. It receipts, claims and opens what it sent.
 *
 * Usage: node lying-miner.ts HOME NETWORK NAME SEGMENTS WALLET ACCOUNT PASSWORD_FILE BID
 */
import { readFileSync } from 'node:fs'
import type { BatchRunner } from '../../src/app/engine-host.ts'
import { openHome } from '../../src/app/home.ts'
import { minerKeysOf } from '../../src/app/mining/miner-keys.ts'
import { runMiner } from '../../src/app/run-miner.ts'
import { createSystem } from '../../src/app/system.ts'
import { createWallets } from '../../src/app/wallet.ts'
import { createWorkerRunner, type WorkerOptions } from '../../src/app/worker-runner.ts'
import type { StepOutput } from '../../src/ml/engine/engine.ts'

const [path, network, name, segments, wallet, account, passwordFile, bid] = process.argv.slice(2)
const home = await openHome({ path: path! })
const system = createSystem({ level: 'info' })
const stopping = new AbortController()
process.on('SIGTERM', () => stopping.abort())

await runMiner({
  home,
  system,
  signal: stopping.signal,
  flags: {
    ...{ network, name: name!, segments, wallet, bid, free: false, engine: 'wasm', threads: 1 },
    ...{ listen: '/ip4/127.0.0.1/tcp/0', 'cache-mib': 256, 'journal-mib': 256 },
  },
  print: () => undefined,
  emit: (value) => console.log(JSON.stringify(value)),
  openKeys: async (kind) => {
    const wallets = createWallets({ folder: home.file('wallets') }, system)
    const opened = await wallets.open(wallet!, readFileSync(passwordFile!, 'utf8').trim())
    return minerKeysOf(opened, { network: kind, account: Number(account) })
  },
  createRunner: async (options: WorkerOptions): Promise<BatchRunner> => lying(await createWorkerRunner(options)),
})

/** Changes the last bits of one number of each row's worth of hidden values: nobody who reads the answer sees it. */
function lying(runner: BatchRunner): BatchRunner {
  return {
    ...runner,
    async run(batch) {
      const { outputs, computeMs } = await runner.run(batch)
      return { outputs: outputs.map(changed), computeMs }
    },
  }
}

function changed(output: StepOutput): StepOutput {
  if (output.type !== 'hidden') return output
  const values = output.values.slice()
  values[0] = Math.fround(values[0]! * 1.0001 + 0.0001)
  return { ...output, values }
}
