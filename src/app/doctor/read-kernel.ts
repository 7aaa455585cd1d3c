/**
 * A WebAssembly function that reads memory as fast as one thread can: eight 128-bit loads per turn into eight
 * accumulators. Assembled here byte by byte (WebAssembly core 2.0, §5), because it is smaller than its build would be.
 * @module
 */

/** Bytes per turn of the loop; ranges must be multiples of it. */
export const READ_STRIDE_BYTES = 128

const LOADS = 8
/** Parameters are locals 0 and 1; the accumulators follow. */
const FIRST_ACCUMULATOR = 2
const I32 = 0x7f
const V128 = 0x7b
const MEMORY_PAGES_MAX = 65_536

const LOCAL_GET = 0x20
const LOCAL_SET = 0x21
const LOCAL_TEE = 0x22
const SIMD = 0xfd
const XOR = [SIMD, 0x51]

/** Module bytes: imports `env.memory` (shared), exports `read(begin: i32, end: i32) -> i32`, the xor of what it read. */
export function readKernel(): Uint8Array<ArrayBuffer> {
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [1, 0x60, 2, I32, I32, 1, I32]),
    ...section(2, [1, ...name('env'), ...name('memory'), 0x02, 0x03, ...unsigned(1), ...unsigned(MEMORY_PAGES_MAX)]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name('read'), 0x00, 0]),
    ...section(10, [1, ...sized(body())]),
  ])
}

function body(): number[] {
  const accumulators = Array.from({ length: LOADS }, (_value, index) => FIRST_ACCUMULATOR + index)
  const loads = accumulators.flatMap((local, index) => [
    ...[LOCAL_GET, local, LOCAL_GET, 0],
    ...[SIMD, 0x00, 4, ...unsigned(index * 16)], // v128.load align=16
    ...[...XOR, LOCAL_SET, local],
  ])
  const fold = accumulators.slice(1).flatMap((local) => [LOCAL_GET, local, ...XOR])
  return [
    ...[1, LOADS, V128], // locals
    ...[0x03, 0x40, ...loads], // loop
    ...[LOCAL_GET, 0, 0x41, ...signed(READ_STRIDE_BYTES), 0x6a, LOCAL_TEE, 0], // begin += stride
    ...[LOCAL_GET, 1, 0x49, 0x0d, 0, 0x0b], // br_if begin < end
    ...[LOCAL_GET, FIRST_ACCUMULATOR, ...fold, SIMD, 0x1b, 0, 0x0b], // i32x4.extract_lane 0
  ]
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...sized(content)]
}

function sized(content: readonly number[]): number[] {
  return [...unsigned(content.length), ...content]
}

function name(text: string): number[] {
  return [text.length, ...[...text].map((letter) => letter.charCodeAt(0))]
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...unsigned(Math.floor(value / 128))]
}

/** LEB128 of a value that is not negative: one more bit, so that the sign reads as plus. */
function signed(value: number): number[] {
  return value < 64 ? [value] : [(value % 128) + 128, ...signed(Math.floor(value / 128))]
}
