/** A real log shipper for one test: rsyslog with imfile, which follows files as others do. */

import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { eventually } from './eventually.ts'
import { isRunning, kill } from './processes.ts'

// Where Debian has it, which is not on everybody's PATH.
const PATH = `${process.env['PATH']}:/usr/sbin`

export function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version'], { env: { ...process.env, PATH } }).error === undefined
}

export interface Shipper {
  /** Lines it has delivered, in its order, of files whose path ends so. */
  delivered(suffix: string): string[]
  stop(): Promise<void>
  start(): Promise<void>
}

/** @param input what it follows, in the language of rsyslog's configuration */
export async function startShipper(folder: string, input: string): Promise<Shipper> {
  mkdirSync(folder, { recursive: true })
  const output = join(folder, 'delivered')
  const config = join(folder, 'rsyslog.conf')
  writeFileSync(
    config,
    `global(workDirectory="${folder}")
${input}
template(name="line" type="string" string="%$!metadata!filename%\\t%msg%\\n")
action(type="omfile" file="${output}" template="line")
`,
  )
  let pid = 0
  const start = async (): Promise<void> => {
    const args = ['-n', '-f', config, '-i', join(folder, 'pid')]
    const child = spawn('rsyslogd', args, { env: { ...process.env, PATH }, stdio: 'ignore' })
    child.on('error', () => {}) // told by the check below
    pid = child.pid ?? 0
    await eventually(() => readFileSync(join(folder, 'pid'), 'utf8').trim() === String(pid))
  }
  const stop = async (): Promise<void> => {
    kill(pid, 'SIGTERM')
    await eventually(() => !isRunning(pid))
  }
  onTestFinished(() => kill(pid))
  await start()
  return {
    start,
    stop,
    delivered: (suffix) => {
      const text = readFileSync(output, 'utf8')
      const entries = text.slice(0, text.lastIndexOf('\n')).split('\n')
      return entries.flatMap((entry) => {
        const [path = '', line = ''] = entry.split('\t')
        return path.endsWith(suffix) ? [line] : []
      })
    },
  }
}
