import { effectiveConfig } from '../../config/effective-config.ts'
import { invalid, printDiagnostics } from '../load-file.ts'

/** `eco config`: the file as one environment sees it, secrets masked. */
export async function config(file: string | null, environment: string | null, json: boolean): Promise<void> {
  const result = await effectiveConfig({ file, environment, cwd: process.cwd(), env: process.env })
  if (!result.ok) {
    printDiagnostics(result.diagnostics, result.sources)
    throw invalid(result.diagnostics)
  }
  printDiagnostics(result.warnings, result.sources)
  if (json) {
    process.stdout.write(`${JSON.stringify(result.config, null, 2)}\n`)
    return
  }
  const { stringify } = await import('yaml')
  process.stdout.write(stringify(result.config))
}
