/**
 * `dllm model vote NUMBER yes|no`: vote on a proposal with what the account has bonded; the same as `param vote`.
 * @module
 */
import ParamVote from '../param/vote.ts'

export default class ModelVote extends ParamVote {
  static override summary = 'Vote on a proposal for a model, with the stake that the account has bonded.'
  static override examples = [
    '<%= config.bin %> model vote 3 yes',
    '<%= config.bin %> model vote 3 no --wallet savings',
  ]
}
