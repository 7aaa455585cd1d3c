/**
 * Doctor's check of the engine: which one `mine` and `chat` take on this machine, with which instructions, and why no better one.
 * @module
 */
import { messageOf } from '../../base/error.ts'
import { createEngine } from '../engines.ts'
import { isNativeDelivered, loadNativeBinding, nativeInstructions } from '../native-engine.ts'
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
  const { instructions: usable } = loadNativeBinding()
  const built = Object.keys(usable)
  const better = built.slice(0, built.indexOf(instructions))
  const lacking = better.filter((name) => usable[name] !== 1)
  const wrong = better.filter((name) => usable[name] === 1)
  const forced = process.env['DLLM_NATIVE_ISA'] ? ', as DLLM_NATIVE_ISA says' : ''
  const why = lacking.length === 0 || forced !== '' ? '' : ` This processor lacks ${lacking.join(', ')}.`
  const origin = isNativeDelivered() ? 'delivered' : 'built here'
  const summary = `The native engine runs (${origin}), with its ${instructions} kernels${forced}.${why}`
  const values = { engine: 'native', instructions, origin }
  if (wrong.length === 0 || forced !== '') return ok('engine', summary, values)
  return warn(
    'engine',
    summary,
    `Its ${wrong.join(', ')} kernels do not compute exact-1 here; please report it.`,
    values,
  )
}

async function withoutNative(reason: string): Promise<Finding> {
  try {
    await createEngine('wasm', { threads: 1 })
    const summary = 'The wasm engine runs; the native engine, which is faster, does not.'
    const advice = `${reason}${hasAddon() ? '' : ' With a C compiler, `npm run install` in the folder of the program builds it.'}`
    return warn('engine', summary, advice, { engine: 'wasm' })
  } catch (error) {
    const advice = `Layers run on the reference engine, which is slow. ${reason} ${messageOf(error)}`
    return warn('engine', 'Neither the native nor the wasm engine runs here.', advice, { engine: 'reference' })
  }
}

/** Then what is missing is not a build. */
function hasAddon(): boolean {
  try {
    loadNativeBinding()
    return true
  } catch {
    return false
  }
}
