/**
 * What every Disk must do. `disk.test.ts` runs it over the real one and over the simulator's.
 * @module
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Disk } from '../../src/app/store/disk.ts'
import { bytesOf } from './key-value-suite.ts'

const SYNCED = { sync: true } as const
const NOT_SYNCED = { sync: false } as const

/** `open` opens a new empty disk each time; `reopen` opens the last one again after it was closed. */
export interface DiskFactory {
  open(): Promise<Disk>
  reopen(): Promise<Disk>
}

export function describeDisk(name: string, factory: DiskFactory): void {
  describe(`${name} disk`, () => {
    let disk: Disk
    beforeEach(async () => {
      disk = await factory.open()
    })
    afterEach(() => disk.close())

    const text = async (file: string): Promise<string | undefined> => {
      const bytes = await disk.read(file)
      return bytes === undefined ? undefined : Buffer.from(bytes).toString('latin1')
    }

    test('has no files at first', async () => {
      expect(await disk.read('a')).toBeUndefined()
    })

    test('replaces a file, also by an empty one and by a long one', async () => {
      for (const content of ['one', '', 'three', 'x'.repeat(100_000)]) {
        await disk.replace('a', bytesOf(content))
        expect(await text('a')).toBe(content)
      }
    })

    test('appends to a file, creating it', async () => {
      await disk.append('a', bytesOf('one'), NOT_SYNCED)
      await disk.append('a', bytesOf(''), SYNCED)
      await disk.append('a', bytesOf(' two'), SYNCED)
      expect(await text('a')).toBe('one two')
    })

    test('keeps files apart', async () => {
      await disk.append('a', bytesOf('1'), SYNCED)
      await disk.append('b', bytesOf('2'), SYNCED)
      await disk.replace('a.c-d', bytesOf('3'))
      expect([await text('a'), await text('b'), await text('a.c-d')]).toEqual(['1', '2', '3'])
    })

    test('cuts a file, and appends go to its new end', async () => {
      await disk.append('a', bytesOf('abcdef'), SYNCED)
      await disk.truncate('a', 4)
      expect(await text('a')).toBe('abcd')
      await disk.append('a', bytesOf('X'), SYNCED)
      await disk.truncate('a', 5)
      await disk.append('a', bytesOf('Y'), SYNCED)
      expect(await text('a')).toBe('abcdXY')
      await disk.truncate('a', 0)
      expect(await text('a')).toBe('')
    })

    test('does not cut what is not there', async () => {
      await expect(disk.truncate('a', 0)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    })

    test('replaces a file that was appended to, and appends go to the new one', async () => {
      await disk.append('a', bytesOf('old'), SYNCED)
      await disk.replace('a', bytesOf('new'))
      await disk.append('a', bytesOf('er'), SYNCED)
      expect(await text('a')).toBe('newer')
    })

    test('removes a file, also one that is not there', async () => {
      await disk.append('a', bytesOf('1'), SYNCED)
      await disk.remove('a')
      await disk.remove('a')
      expect(await disk.read('a')).toBeUndefined()
      await disk.append('a', bytesOf('2'), SYNCED)
      expect(await text('a')).toBe('2')
    })

    test('does things in the order in which they were asked for', async () => {
      const work = Array.from({ length: 60 }, (_, index) =>
        index % 20 === 0
          ? disk.replace('a', bytesOf(`<${index}>`))
          : disk.append('a', bytesOf('.'), { sync: index % 7 === 0 }),
      )
      const read = text('a')
      await Promise.all(work)
      expect(await read).toBe(`<40>${'.'.repeat(19)}`)
    })

    test('gives bytes that belong to the caller', async () => {
      await disk.replace('a', bytesOf('abc'))
      const bytes = await disk.read('a')
      bytes?.fill(0)
      expect(await text('a')).toBe('abc')
    })

    test('is the same when it is opened again', async () => {
      await disk.append('a', bytesOf('one'), NOT_SYNCED)
      await disk.replace('b', bytesOf('two'))
      await disk.close()
      disk = await factory.reopen()
      expect([await text('a'), await text('b')]).toEqual(['one', 'two'])
    })

    test('refuses everything when closed, and can be closed again', async () => {
      await disk.close()
      await disk.close()
      const refused = [
        disk.read('a'),
        disk.replace('a', bytesOf('')),
        disk.append('a', bytesOf(''), SYNCED),
        disk.truncate('a', 0),
        disk.remove('a'),
      ]
      for (const promise of refused) await expect(promise).rejects.toMatchObject({ code: 'STORE_CLOSED' })
    })

    test.each(['', '.', '..', '../a', 'a/b', '/a', 'A', 'a b', '.hidden', 'x'.repeat(65)])(
      'takes %j for a bug, not for a name',
      async (name) => {
        await expect(async () => disk.read(name)).rejects.toThrow('a file name is one small word')
      },
    )
  })
}
