/**
 * `dllm chat`: ask a model, once or line by line.
 * @module
 */
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../app/base-command.ts'
import { WALLET_LIMITS } from '../base/limits.ts'

export default class Chat extends BaseCommand {
  static override summary = 'Chat with a model that a ring of miners computes together.'
  static override description =
    'With a prompt, or text on stdin, prints one answer. Without, takes prompts line by line and keeps the conversation. ' +
    'Needs no weights: token ids go out, text comes in. On the local network, miner processes are started when none run ' +
    'and stay for the next chat; `dllm devnet down` stops them. Where miners work for pay, a lease sets money aside for some ' +
    'answers, and the next chats go on with it; what is not used comes back.'
  static override examples = [
    '<%= config.bin %> chat "Once upon a time"',
    '<%= config.bin %> chat --temperature 0 --max-tokens 50 "It was the best of times"',
    'echo "Call me" | <%= config.bin %> chat --json',
  ]
  static override args = {
    prompt: Args.string({ ignoreStdin: true, description: 'What to say; "" starts from nothing.' }),
  }
  static override flags = {
    model: Flags.string({ char: 'm', description: 'Model to ask.', helpValue: 'NAME' }),
    system: Flags.string({ description: 'How the model shall behave; for models with a chat template.' }),
    'max-tokens': Flags.integer({ min: 1, max: 131_072, default: 256, description: 'Longest answer.' }),
    context: Flags.integer({
      min: 16,
      max: 1_048_576,
      default: 8_192,
      description: 'Tokens that a conversation may grow to; miners reserve memory for them.',
    }),
    temperature: Flags.string({ char: 't', description: '0: always the likeliest token.', helpValue: 'NUMBER' }),
    'top-k': Flags.integer({ min: 0, description: 'Draw from this many likeliest tokens; 0: all.' }),
    'top-p': Flags.string({ description: 'Draw from the likeliest tokens of this total share.', helpValue: 'NUMBER' }),
    'min-p': Flags.string({ description: 'Least share, relative to the likeliest token.', helpValue: 'NUMBER' }),
    'repetition-penalty': Flags.string({ description: '1: none.', helpValue: 'NUMBER' }),
    seed: Flags.string({ description: 'Same seed, same answer; random if left out.', helpValue: 'NUMBER' }),
    stop: Flags.string({ multiple: true, description: 'Text that ends the answer; may be repeated.' }),
    drafts: Flags.string({
      options: ['auto', 'off'],
      default: 'auto',
      description: 'Whether miners may guess ahead, where that is sooner; the answer is the same.',
    }),
    trace: Flags.boolean({ description: 'Show the route, what each stage took, and what it cost.' }),
    digests: Flags.boolean({ description: 'With --json: the SHA-256 of the logits of every token.' }),
    wallet: Flags.string({
      description: 'Wallet that pays; without it, the one of the setting "wallet" where there is one.',
      helpValue: 'NAME',
      helpGroup: 'PAYING',
    }),
    account: Flags.integer({
      default: 0,
      min: 0,
      max: 2 ** 31 - 1,
      description: 'Account of the wallet.',
      helpValue: 'NUMBER',
      helpGroup: 'PAYING',
    }),
    cap: Flags.string({
      description: 'Most that the chat may cost; without it, about twenty answers are set aside at a time.',
      helpValue: 'DLLM',
      helpGroup: 'PAYING',
    }),
    free: Flags.boolean({
      description: 'Pay nothing: ask only miners that serve for nothing.',
      helpGroup: 'PAYING',
    }),
    'password-file': Flags.string({
      description: 'Read the password of the wallet from a file.',
      helpValue: 'FILE',
      helpGroup: 'PAYING',
    }),
    'password-fd': Flags.integer({
      description: 'Read the password of the wallet from an open descriptor.',
      helpValue: 'NUMBER',
      min: 0,
      max: WALLET_LIMITS.descriptorMax,
      exclusive: ['password-file'],
      helpGroup: 'PAYING',
    }),
  }

  async run(): Promise<object | undefined> {
    const { args, flags } = await this.parse(Chat)
    const { runChat } = await import('../app/chat/run-chat.ts')
    const home = await this.home(flags)
    return runChat({
      home,
      prompt: args.prompt,
      flags,
      system: this.system(flags),
      signal: () => this.signal,
      isJson: this.jsonEnabled(),
      print: (text) => this.write(text),
      note: (text) => this.note(text),
      emit: (value) => this.emit(value),
    })
  }
}
