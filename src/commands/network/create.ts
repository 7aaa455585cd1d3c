/**
 * `dllm network create NAME`: a network with its own chain, in one command.
 * @module
 */
import { Args, Flags } from '@oclif/core'
import { UsageError } from '../../app/base-command.ts'
import { passwordFlags, WalletCommand } from '../../app/wallet-command.ts'

export default class NetworkCreate extends WalletCommand {
  static override summary = 'Create a network with its own chain: a home lab in one command.'
  static override description =
    'The money goes to a wallet of yours, and each validator belongs to an account of it. Others join with the file that is written.'
  static override examples = [
    '<%= config.bin %> network create lab',
    '<%= config.bin %> network create lab --validators 4 --closed --parameter commitMs=500',
  ]
  static override args = {
    name: Args.string({ ignoreStdin: true, description: 'Name of the network.', required: true }),
  }
  static override flags = {
    validators: Flags.integer({ default: 1, min: 1, description: 'Validators to begin with.' }),
    wallet: Flags.string({ description: 'Wallet that owns everything; the one of the setting if left out.' }),
    supply: Flags.string({ default: '1000000', description: 'DLLM in the wallet at the start.', helpValue: 'DLLM' }),
    bond: Flags.string({ default: '10000', description: 'DLLM that each validator bonds.', helpValue: 'DLLM' }),
    host: Flags.string({
      default: '/ip4/127.0.0.1',
      description: 'Where the nodes are reached.',
      helpValue: 'MULTIADDR',
    }),
    port: Flags.integer({
      default: 4100,
      min: 1,
      max: 65_535,
      description: 'Port of the first node; the next ones follow.',
    }),
    parameter: Flags.string({
      multiple: true,
      description: 'A first value; see `chain params`.',
      helpValue: 'NAME=VALUE',
    }),
    model: Flags.string({
      multiple: true,
      description: 'A stored model that the network begins with; the one that comes with dllm if left out.',
      helpValue: 'NAME',
    }),
    price: Flags.string({
      description: 'What a compute unit of them costs at first; priceMin if left out, which is 0.',
      helpValue: 'GRAINS',
    }),
    closed: Flags.boolean<boolean>({ description: 'Only the nodes made here, and those of --allow, may connect.' }),
    allow: Flags.string({ multiple: true, description: 'A further peer that may connect.', helpValue: 'PEER' }),
    ...passwordFlags,
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(NetworkCreate)
    const { checkNetworkName, runCreateNetwork, termsFrom } = await import('../../app/chain/run-create-network.ts')
    if (flags.allow !== undefined && !flags.closed) throw new UsageError('USAGE', '--allow goes with --closed.')
    // Before a password is asked for.
    termsFrom(flags)
    const home = await this.home(flags)
    await checkNetworkName(home, args.name, flags.validators)
    const { wallets, name } = await this.walletContext(flags)
    const wallet = await wallets.show(name(flags.wallet), 'local')
    const opened = await this.openWallet(wallets, wallet.name, flags)
    const options = { ...flags, name: args.name, walletName: wallet.name }
    const created = await runCreateNetwork(options, { home, system: this.system(flags), opened })
    for (const line of created.lines) this.printLine(line)
    return created.result
  }
}
