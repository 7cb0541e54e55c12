import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { formatDiagnostics } from '../../src/config/diagnostic.ts'
import { loadEcosystem } from '../../src/config/load-ecosystem.ts'
import type { LoadOptions, LoadResult } from '../../src/config/load-ecosystem.ts'
import type { AppSpec } from '../../src/model/spec.ts'

export const BASE_ENV = { PATH: process.env['PATH'] ?? '', HOME: '/home/someone' }

/** A folder with an ecosystem file and what it refers to; gone at the end of the test. */
export class Project implements Disposable {
  readonly folder: string

  /** @param files text by name; a name that ends in `!` is made executable, one that ends in `/` is a folder */
  constructor(files: Readonly<Record<string, string | Uint8Array>>) {
    this.folder = mkdtempSync(path.join(tmpdir(), 'eco-config-'))
    for (const [name, text] of Object.entries({ 'app.js': '', ...files })) {
      const file = path.join(this.folder, name.replace(/!$/, ''))
      mkdirSync(name.endsWith('/') ? file : path.dirname(file), { recursive: true })
      if (!name.endsWith('/')) writeFileSync(file, text)
      if (name.endsWith('!')) chmodSync(file, 0o755)
    }
  }

  load(options: Partial<LoadOptions> = {}): Promise<LoadResult> {
    return loadEcosystem({
      file: null,
      cwd: this.folder,
      environment: null,
      seal: (value) => ({ fingerprint: `#${value.length}`, sealed: `sealed(${value.length})` }),
      ...options,
      env: { ...BASE_ENV, ...options.env },
    })
  }

  /** Everything a load complains about, as it is printed; paths within the folder are relative. */
  async complaints(options: Partial<LoadOptions> = {}): Promise<string> {
    const result = await this.load(options)
    const diagnostics = result.ok ? result.warnings : result.diagnostics
    const text = formatDiagnostics(diagnostics, result.sources, { color: false, cwd: this.folder })
    return text.replaceAll(this.folder, '<folder>')
  }

  async app(name: string, options: Partial<LoadOptions> = {}): Promise<AppSpec> {
    const result = await this.load(options)
    const app = result.ok ? result.desired.apps[name] : undefined
    if (!app) throw new Error(await this.complaints(options))
    return app
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** What is printed about one YAML file. */
export async function complaintsOf(
  yaml: string,
  options: Partial<LoadOptions> = {},
  files: Readonly<Record<string, string>> = {},
): Promise<string> {
  using project = new Project({ 'ecosystem.yaml': yaml, ...files })
  return await project.complaints(options)
}

/** The first line of each complaint: `ecosystem.yaml:3:5 message`. */
export function headlines(complaints: string): string[] {
  return complaints.split('\n').filter((line) => /^\S/.test(line))
}
