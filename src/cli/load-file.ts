import { relative } from 'node:path'
import { type Diagnostic, formatDiagnostics } from '../config/diagnostic.ts'
import { loadEcosystem } from '../config/load-ecosystem.ts'
import { EcoError } from '../errors.ts'
import type { DesiredState } from '../model/spec.ts'
import { openSecretBox, type SecretBox } from '../secrets/seal.ts'
import { cacheDir, ecoHome } from '../state/paths.ts'
import { wantsColor } from './terminal.ts'

/**
 * The desired state of one environment; warnings go to stderr.
 *
 * @param home whose key seals the secrets in it
 * @throws EcoError CONFIG_INVALID after printing every problem
 */
export async function loadFile(
  file: string | null,
  environment: string | null,
  home = ecoHome(),
): Promise<DesiredState> {
  let box: SecretBox | null = null
  const result = await loadEcosystem({
    file,
    cwd: process.cwd(),
    environment,
    env: process.env,
    cache: cacheDir(ecoHome()),
    seal: (value) => (box ??= openSecretBox(home)).seal(value),
  })
  if (result.ok) {
    printDiagnostics(result.warnings, result.sources)
    return result.desired
  }
  printDiagnostics(result.diagnostics, result.sources)
  throw invalid(result.diagnostics)
}

export function printDiagnostics(diagnostics: readonly Diagnostic[], sources: ReadonlyMap<string, string>): void {
  if (diagnostics.length === 0) return
  const options = { color: wantsColor(process.stderr), cwd: process.cwd() }
  process.stderr.write(`${formatDiagnostics(diagnostics, sources, options)}\n`)
}

/** What is thrown once the problems are printed. */
export function invalid(diagnostics: readonly Diagnostic[]): EcoError {
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  const file = relative(process.cwd(), errors[0]?.file ?? '') || 'the file'
  const count = errors.length === 1 ? '1 problem' : `${errors.length} problems`
  return new EcoError('CONFIG_INVALID', `${count} in ${file}; nothing was changed.`, {
    hint: 'eco explain KEY tells what a key means',
  })
}
