import { relative } from 'node:path'
import { validateEcosystem } from '../../config/validate-ecosystem.ts'
import { EXIT } from '../../errors.ts'
import { invalid, printDiagnostics } from '../load-file.ts'

/** `eco validate`: all problems at once, in every environment unless one is named. @returns the exit code */
export async function validate(file: string | null, environment: string | null, json: boolean): Promise<number> {
  const result = await validateEcosystem({ file, environment, cwd: process.cwd(), env: process.env })
  const failed = result.diagnostics.some(({ severity }) => severity === 'error')
  if (json) {
    const { environments, apps, diagnostics } = result
    const out = { format_version: '1.0', file: result.file, valid: !failed, environments, apps, diagnostics }
    process.stdout.write(`${JSON.stringify(out)}\n`)
    return failed ? EXIT.invalid : EXIT.ok
  }
  printDiagnostics(result.diagnostics, result.sources)
  if (failed) throw invalid(result.diagnostics)
  const counts = result.environments.map((name) => `${name} (${result.apps[name]?.length ?? 0} apps)`)
  process.stdout.write(`${relative(process.cwd(), result.file) || result.file} is valid: ${counts.join(', ')}\n`)
  return EXIT.ok
}
