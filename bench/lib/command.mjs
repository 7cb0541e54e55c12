/** Runs one command and times it from outside, from the spawn to its exit. */

import { spawn } from 'node:child_process'

/**
 * @param {string[]} argv
 * @param {{ env: Record<string, string>, cwd?: string, timeout?: number, allowFailure?: boolean }} options
 * @returns {Promise<{ ms: number, code: number | null, stdout: string, stderr: string }>}
 */
export function run(argv, { env, cwd, timeout = 180_000, allowFailure = false }) {
  return new Promise((resolve, reject) => {
    const started = performance.now()
    const child = spawn(argv[0], argv.slice(1), { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    const output = { stdout: '', stderr: '' }
    let ms = 0
    let late = false
    child.stdout.setEncoding('utf8').on('data', (text) => (output.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text) => (output.stderr += text))
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
      child.stdout.destroy()
      child.stderr.destroy()
    }, timeout)
    child.once('error', reject)
    child.once('exit', () => (ms = performance.now() - started))
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      if (code === 0 || allowFailure) return resolve({ ms, code, ...output })
      const end = late ? `did not end within ${timeout / 1000} s` : `ended with ${signal ?? `exit code ${code}`}`
      reject(new Error(`${argv.join(' ')} ${end}\n${(output.stderr + output.stdout).slice(-2000)}`))
    })
  })
}

/** The floor of every Node CLI: `node -e 0`. */
export async function nodeFloor(scratch) {
  const { ms } = await run([process.execPath, '-e', '0'], { env: scratch.env() })
  return ms
}
