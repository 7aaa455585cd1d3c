/**
 * `dllm chain models [MODEL]`: the models that can be leased.
 * @module
 */
import { Args } from '@oclif/core'
import { ChainCommand } from '../../app/chain-command.ts'

export default class ChainModels extends ChainCommand {
  static override summary = 'List the models of the network, or show one and who serves it.'
  static override description =
    'Prices are grains per compute unit (CU), 10⁶ multiply-accumulates. Names are what publishers chose: the hash says which model it is.'
  static override examples = [
    '<%= config.bin %> chain models',
    '<%= config.bin %> chain models genesis',
    '<%= config.bin %> chain models --json',
  ]
  static override args = {
    model: Args.string({
      ignoreStdin: true,
      description: 'Name of a model on this machine, or the 64 hexadecimal digits of its hash.',
    }),
  }

  async run(): Promise<object> {
    const { args, flags } = await this.parse(ChainModels)
    const { modelsText, modelText } = await import('../../app/chain/market-text.ts')
    if (args.model === undefined) {
      const models = await (await this.chain(flags)).market.models(this.signal)
      this.print(modelsText(models))
      return { models }
    }
    const { modelHashOf } = await import('../../app/chain/model-hash.ts')
    const hash = modelHashOf(await this.home(flags), args.model)
    const { market, source } = await this.chain(flags)
    const model = await market.model(hash, this.signal)
    const placements = source === 'node' ? await market.placements(hash, this.signal) : undefined
    this.print(modelText(model, placements))
    return { ...model, ...(placements === undefined ? {} : { placements }) }
  }
}
