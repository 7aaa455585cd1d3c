/**
 * Doctor's check of the engine: which one `mine` and `chat` take on this machine, with which instructions, and why no better one.
 * @module
 */
import { messageOf } from '../../base/error.ts'
import { createEngine } from '../engines.ts'
import { loadNativeBinding, nativeInstructions } from '../native-engine.ts'
import { type Finding, ok, warn } from './finding.ts'

/** Found by making them. */
export async function checkEngine(): Promise<Finding> {
  try {
    await createEngine('native', { threads: 1 })
    return nativeFinding()
  } catch (error) {
    return withoutNative(messageOf(error))
  }
}

function nativeFinding(): Finding {
  const instructions = nativeInstructions()
  const built = Object.keys(loadNativeBinding().instructions)
  const better = built.slice(0, built.indexOf(instructions))
  const forced = process.env['DLLM_NATIVE_ISA'] ? ', as DLLM_NATIVE_ISA says' : ''
  const why = better.length === 0 || forced !== '' ? '' : ` This processor lacks ${better.join(', ')}.`
  const summary = `The native engine runs, with its ${instructions} kernels${forced}.${why}`
  return ok('engine', summary, { engine: 'native', instructions })
}

async function withoutNative(reason: string): Promise<Finding> {
  try {
    await createEngine('wasm', { threads: 1 })
    const summary = 'The wasm engine runs; the native engine, which is faster, does not.'
    const advice = `${reason} With a C compiler, \`npm run prepare\` in the folder of the program builds it.`
    return warn('engine', summary, advice, { engine: 'wasm' })
  } catch (error) {
    const advice = `Layers run on the reference engine, which is slow. ${reason} ${messageOf(error)}`
    return warn('engine', 'Neither the native nor the wasm engine runs here.', advice, { engine: 'reference' })
  }
}
