import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { onTestFinished, type TestContext } from 'vitest'

/**
 * A file system in a folder, gone when the test is over. Where mounting is not allowed the test is skipped, loudly.
 *
 * @param options of a tmpfs, `size=2m`
 */
export function mountSmallDisk(context: TestContext, folder: string, options: string): void {
  mkdirSync(folder, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `${options},mode=0700`, 'eco-test', folder], { stdio: 'pipe' })
  } catch {
    console.warn(`SKIPPED ${context.task.name}: mounting a tmpfs is not allowed here`)
    context.skip()
  }
  onTestFinished(() => void execFileSync('umount', ['-l', folder]))
}
