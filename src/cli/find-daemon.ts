import { call, DaemonEnded, NoDaemon } from '../daemon/client.ts'
import type { Hello } from '../daemon/protocol.ts'

/** @returns who the daemon is; null: none runs, or it is just ending. @throws EcoError when it cannot be reached */
export async function findDaemon(home: string): Promise<Hello | null> {
  try {
    return await call('hello', {}, { home })
  } catch (error) {
    if (error instanceof NoDaemon || error instanceof DaemonEnded) return null
    throw error
  }
}
