/**
 * `dllm mine`: serve segments of a model to rings, for nothing or for pay.
 * @module
 */
import { Flags } from '@oclif/core'
import type { GlobalFlags } from '../app/base-command.ts'
import type { MineGpu } from '../app/gpu/mine-gpu.ts'
import type { MinerKeys } from '../app/mining/miner-keys.ts'
import { type PasswordFlags, passwordFlags, treeFlags, WalletCommand } from '../app/wallet-command.ts'

interface KeyFlags extends GlobalFlags, PasswordFlags {
  readonly wallet?: string | undefined
  readonly account: number
  readonly index: number
}

interface GpuFlags extends GlobalFlags {
  readonly gpu?: string | undefined
  readonly 'allow-software-gpu': boolean
}

const earning = { helpGroup: 'EARNING' }

export default class Mine extends WalletCommand {
  static override summary = 'Serve segments of a model: run its layers for others.'
  static override description =
    `Loads the segments, measures their speed, listens for rings and tells the network. Ends with Ctrl-C: open sessions are told.

With --wallet it earns: the wallet's operator account registers with a deposit, offers its segments, and claims the pay of each lease for the payout account. It says of each job whether it was won, and of each minute without work why. A full node of the network must run on this machine; without one it starts one.`
  static override examples = [
    '<%= config.bin %> mine',
    '<%= config.bin %> mine --wallet default --network home',
    '<%= config.bin %> mine --model genesis --segments 1-3 --threads 2',
    '<%= config.bin %> mine --model genesis:1-3 --model other:2',
    '<%= config.bin %> mine --model genesis --why',
    '<%= config.bin %> mine --gpu list',
    '<%= config.bin %> mine --gpu 0',
    '<%= config.bin %> mine --network home --listen /ip4/0.0.0.0/tcp/4001',
  ]
  static override flags = {
    model: Flags.string({
      ...{ char: 'm', multiple: true, helpValue: 'NAME[:FIRST-LAST]' },
      description: 'Model to serve, and segments of it; once for each model.',
    }),
    segments: Flags.string({
      ...{ helpValue: 'FIRST-LAST' },
      description:
        'Segments to serve, from 1. Left out: all, or if they do not fit, those that the network needs most.',
    }),
    'draft-model': Flags.string({
      description: 'A small model with the same tokenizer, to guess ahead with where rings begin here.',
      helpValue: 'NAME',
    }),
    threads: Flags.integer({ min: 0, description: 'Threads of the engine; 0: one per core.' }),
    engine: Flags.option({
      options: ['auto', 'native', 'wasm', 'reference'] as const,
      default: 'auto' as const,
      description: 'Program part that computes; auto: native, or wasm where that does not run.',
    })(),
    listen: Flags.string({ description: 'Where to listen.', helpValue: 'MULTIADDR' }),
    bootstrap: Flags.string({ multiple: true, description: 'A peer to meet first.', helpValue: 'MULTIADDR' }),
    name: Flags.string({ default: 'miner', description: 'Name of this miner; its identity is kept under it.' }),
    gpu: Flags.string({
      ...{ helpValue: 'NUMBER[,NUMBER]' },
      description: 'Compute on this GPU, or several; `list` shows them and ends, `none` means the processor.',
    }),
    'allow-software-gpu': Flags.boolean({
      description: 'Take a driver that computes on the processor for a GPU. Slower than without --gpu; for tests.',
    }),
    'cache-mib': Flags.integer({ min: 1, default: 1_024, description: 'Memory for sessions, in MiB.' }),
    'memory-mib': Flags.integer({
      ...{ min: 1, helpValue: 'MIB' },
      description: 'Memory for several models with their sessions; three quarters of it all if left out.',
    }),
    why: Flags.boolean({ description: 'Say which segments this machine should serve and why, and end.' }),
    'down-mib-s': Flags.integer({
      ...{ min: 1, max: 1_048_576, helpValue: 'NUMBER' },
      description: 'MiB per second at most when fetching shards; as many as come if left out.',
    }),
    'up-mib-s': Flags.integer({
      ...{ min: 1, max: 1_048_576, helpValue: 'NUMBER' },
      description:
        'MiB per second at most when others fetch shards; while it computes it never gives them more than 16.',
    }),
    wallet: Flags.string({ ...earning, description: 'Earn with this wallet.', helpValue: 'NAME' }),
    payout: Flags.string({
      ...{ ...earning, helpValue: 'ADDRESS' },
      description: 'Where pay goes; the payout account of the wallet if left out.',
    }),
    slots: Flags.integer({
      ...{ ...earning, min: 1, max: 65_535, helpValue: 'NUMBER' },
      description: 'Leases at once; up to 4, as memory allows, if left out.',
    }),
    bid: Flags.string({
      ...{ ...earning, helpValue: 'GRAINS' },
      description: 'Least pay per compute unit; what the price gives if left out.',
    }),
    deposit: Flags.string({
      ...{ ...earning, helpValue: 'DLLM' },
      description: 'Deposit at most; what the slots need if left out.',
    }),
    free: Flags.boolean({ ...earning, description: 'Serve sessions without a lease as well.' }),
    audit: Flags.boolean({
      ...{ ...earning, default: true, allowNo: true },
      description: 'Recompute work of others when drawn for an audit.',
    }),
    'journal-mib': Flags.integer({
      ...{ ...earning, min: 1, default: 4_096 },
      description: 'Disk for what audits may ask for, in MiB.',
    }),
    ...treeFlags,
    ...passwordFlags,
  }

  async run(): Promise<object> {
    const parsed = (await this.parse(Mine)).flags
    await this.#hasWallet(parsed)
    const gpu = await this.#gpu(parsed)
    if (gpu?.list !== undefined) return gpu.list
    const flags = { ...parsed, device: gpu?.device, 'memory-mib': parsed['memory-mib'] ?? gpu?.memoryMib }
    const home = await this.home(flags)
    const print = (line: string): void => this.printLine(line)
    if (flags.why) {
      const { explainMining } = await import('../app/mining/plan-posts.ts')
      return explainMining({ home, flags, system: this.system(flags), signal: this.signal, print })
    }
    const { runMiner } = await import('../app/run-miner.ts')
    return runMiner({
      home,
      flags,
      system: this.system(flags, 'info'),
      signal: this.signal,
      print,
      emit: (value) => this.emit(value),
      openKeys: flags.wallet === undefined ? undefined : () => this.#keys(flags),
      createRunner: gpu?.createRunner,
    })
  }

  /** Nothing of it is loaded unless a GPU is asked for. */
  async #gpu(flags: GpuFlags): Promise<MineGpu | undefined> {
    if (flags.gpu === undefined) return undefined
    const { mineGpu } = await import('../app/gpu/mine-gpu.ts')
    const print = (text: string): void => this.print(text)
    return mineGpu(flags, { system: this.system(flags, 'info'), print, emit: (value) => this.emit(value) })
  }

  /** A miner of the local network opens its wallet only when there is a chain, and would serve for nothing until then. */
  async #hasWallet(flags: KeyFlags): Promise<void> {
    if (flags.wallet === undefined) return
    const { LOCAL_WALLET } = await import('../app/devnet/local-wallet.ts')
    // It comes with the chain.
    if (flags.wallet === LOCAL_WALLET) return
    const { wallets, network } = await this.walletContext(flags)
    await wallets.show(flags.wallet, network)
  }

  async #keys(flags: KeyFlags): Promise<MinerKeys> {
    const { minerKeysOf } = await import('../app/mining/miner-keys.ts')
    const { wallets, network, name } = await this.walletContext(flags)
    const { account, index } = flags
    const wallet = name(flags.wallet)
    // Nobody is asked for the password of a wallet that there is not.
    await wallets.show(wallet, network)
    return minerKeysOf(await this.openWallet(wallets, wallet, flags), { network, account, index })
  }
}
