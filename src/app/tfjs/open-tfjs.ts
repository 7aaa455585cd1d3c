/**
 * Loads TF.js and opens one of its backends. The library is one for the whole process and so is its active backend: a process that uses several
 * switches between them (ml/engine/tfjs/tensorflow.ts). Nothing of it is loaded before it is asked for.
 * Spec: docs/spec/float.md §3.
 * @module
 */
import { unreachable } from '../../base/assert.ts'
import { messageOf } from '../../base/error.ts'
import { EngineError } from '../../ml/engine/engine.ts'
import type { Tensorflow } from '../../ml/engine/tfjs/tensorflow.ts'
import type { TfjsEngineOptions } from '../../ml/engine/tfjs/tfjs.ts'
import type { OpenGpu } from '../gpu/open-device.ts'
import type { TfjsBackend } from './backends.ts'

/** The library with the backend open and active, and what an engine on it must know. */
export interface OpenTfjs extends TfjsEngineOptions {
  readonly tf: Tensorflow
  readonly backend: TfjsBackend
  /** Lets go of a webgpu backend, so that its device can be closed; the others stay with the process. */
  close(): void
}

/** `gpu`: the device of the webgpu backend. @throws EngineError ENGINE_UNAVAILABLE, which says what to install. */
export async function openTfjs(backend: TfjsBackend, gpu?: OpenGpu): Promise<OpenTfjs> {
  switch (backend) {
    case 'cpu':
    case 'wasm': {
      const tf = await loadLibrary()
      // Registers itself, and finds its .wasm files beside it.
      if (backend === 'wasm') await import('@tensorflow/tfjs-backend-wasm')
      await activate(tf, backend)
      return { tf, backend, close: () => undefined }
    }
    case 'webgpu':
      if (gpu === undefined) throw unavailable(backend, 'It needs an open GPU device.')
      return openWebGpu(gpu)
    case 'tensorflow': {
      const tf = await loadTensorflow()
      await activate(tf, backend)
      return { tf, backend, close: () => undefined }
    }
    default:
      return unreachable(backend)
  }
}

async function loadLibrary(): Promise<Tensorflow> {
  const { default: tf } = (await import('@tensorflow/tfjs')) as unknown as { default: Tensorflow }
  // Else the first operation prints advice to install another package.
  tf.enableProdMode()
  return tf
}

async function activate(tf: Tensorflow, backend: TfjsBackend): Promise<void> {
  let reason = 'It does not start here.'
  try {
    // False, not an error, where a backend has nothing to run on.
    if (await tf.setBackend(backend)) return
  } catch (error) {
    reason = messageOf(error)
  }
  throw unavailable(backend, reason)
}

async function openWebGpu({ device, adapterInfo }: OpenGpu): Promise<OpenTfjs> {
  // The backend refuses to be made where a browser would have no WebGPU.
  if (!('gpu' in navigator)) Object.defineProperty(navigator, 'gpu', { value: {}, configurable: true })
  const tf = await loadLibrary()
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu')
  // The library registers one of its own where it sees a GPU, with fewer features.
  if (tf.findBackendFactory('webgpu') !== null) tf.removeBackend('webgpu')
  tf.registerBackend('webgpu', () => new WebGPUBackend(device, adapterInfo))
  // Else operations on few elements run on the processor.
  tf.env().set('WEBGPU_CPU_FORWARD', false)
  await activate(tf, 'webgpu')
  const lost = Promise.race([
    new Promise<EngineError>((resolve) => {
      // Who closes the device destroys it, and loses nothing.
      void device.lost.then(({ reason, message }) => {
        if (reason !== 'destroyed') resolve(unavailable('webgpu', `The GPU was lost: ${message}`))
      })
    }),
    // After an operation that the device refused, results hold anything.
    new Promise<EngineError>((resolve) => {
      device.addEventListener('uncapturederror', ({ error }) => resolve(unavailable('webgpu', error.message)))
    }),
  ])
  const tensorBytesMax = device.limits.maxStorageBufferBindingSize
  return { tf, backend: 'webgpu', tensorBytesMax, lost, close: () => tf.removeBackend('webgpu') }
}

/** In the order in which they are tried. As values, so that the compiler does not look for them. */
const TENSORFLOW_PACKAGES: readonly string[] = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node']

/** What the user installed beside dllm; it must find the same TF.js that dllm has. */
async function loadTensorflow(): Promise<Tensorflow> {
  const util = process.getBuiltinModule('node:util') as { isNullOrUndefined?: (value: unknown) => boolean }
  // Node 23 removed it, and release 4.22.0 calls it (tensorflow/tfjs#8609).
  util.isNullOrUndefined ??= (value) => value === undefined || value === null
  for (const name of TENSORFLOW_PACKAGES) {
    try {
      const { default: tf } = (await import(name)) as { default: Tensorflow }
      return tf
    } catch {
      // The next one, or the refusal below.
    }
  }
  const advice = `Install one beside dllm with \`npm install ${TENSORFLOW_PACKAGES[0]}@4.22.0\` (CUDA 11.2, cuDNN 8.1) or ${TENSORFLOW_PACKAGES[1]}@4.22.0.`
  throw unavailable('tensorflow', `Neither ${TENSORFLOW_PACKAGES.join(' nor ')} loads. ${advice}`)
}

function unavailable(backend: TfjsBackend, reason: string): EngineError {
  return new EngineError('ENGINE_UNAVAILABLE', `TF.js cannot compute with its backend ${backend}: ${reason}`, {
    details: { backend },
  })
}
