/**
 * Chat templates: messages to the text that a model was trained on, by the Jinja template of its folder.
 * Templates come from strangers: they see messages and names of special tokens, nothing else.
 * Spec: docs/spec/model.md §8.
 * @module
 */
import { Template } from '@huggingface/jinja'
import { messageOf } from '../base/error.ts'
import { ModelError } from './model-error.ts'

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

/** Renders messages with the opening of the assistant's answer at the end. Throws TOKENIZER_BAD_TEMPLATE. */
export type ChatRenderer = (messages: readonly ChatMessage[]) => string

/**
 * Compiles a template once. `specials` are the texts of bos_token, eos_token and so on.
 * Throws TOKENIZER_BAD_TEMPLATE where it is no template.
 */
export function createChatRenderer(source: string, specials: Readonly<Record<string, string>>): ChatRenderer {
  const template = attempt(() => new Template(source))
  return (messages) =>
    attempt(() =>
      template.render({
        ...specials,
        messages: messages.map(({ role, content }) => ({ role, content })),
        add_generation_prompt: true,
        tools: null,
      }),
    )
}

/** The template of tokenizer_config.json: a text, or a list of named ones of which `default` counts. */
export function templateOf(chatTemplate: unknown): string | undefined {
  if (typeof chatTemplate === 'string') return chatTemplate
  if (!Array.isArray(chatTemplate)) return undefined
  const found: unknown = chatTemplate.find((item) => item?.name === 'default')?.template
  return typeof found === 'string' ? found : undefined
}

function attempt<Value>(act: () => Value): Value {
  try {
    return act()
  } catch (cause) {
    throw new ModelError('TOKENIZER_BAD_TEMPLATE', `The model's chat template failed: ${messageOf(cause)}`, { cause })
  }
}
