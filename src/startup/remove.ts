import { removeFile } from '../state/atomic-file.ts'
import type { FoundService } from './find-services.ts'
import { must } from './install.ts'
import { runCommand } from './run-command.ts'

/** Removes what `eco startup` has made, and nothing else: the apps go on. @returns what was done, a sentence each */
export function remove({ file }: FoundService): string[] {
  const done: string[] = []
  for (const argv of file.disable) must(argv, file)
  if (runCommand(file.isActive).code === 0) {
    for (const argv of file.stop) must(argv, file)
    done.push(`stopped ${file.title}; the apps go on`)
  }
  removeFile(file.path)
  done.push(`removed ${file.path}`)
  for (const argv of file.reload) runCommand(argv)
  return done
}
