/**
 * The store of a data folder, within the quota of its settings.
 * Spec: docs/spec/home.md §2.
 * @module
 */
import { loadConfig } from '../config.ts'
import type { Home } from '../home.ts'
import { shardQuotaBytes } from '../settings.ts'
import { openShardStore, type ShardStore } from './shard-store.ts'

/** @throws ConfigError. */
export async function openHomeStore(home: Home): Promise<ShardStore> {
  const { settings } = await loadConfig({ home, env: process.env })
  return openShardStore({ home: home.path, quotaBytes: shardQuotaBytes(settings) })
}
