/**
 * Entry of a helper thread of the wasm engine. Ends when the stage closes.
 * @module
 */
import { workerData } from 'node:worker_threads'
import { runWasmHelper, type WasmHelperInit } from '../ml/engine/wasm-helper.ts'

runWasmHelper(workerData as WasmHelperInit)
