import path from 'node:path'
import type { AppNode } from './app-node.ts'
import type { BuildContext } from './build-context.ts'
import type { RawValue } from './secret-value.ts'
import type { Span, TreeNode } from './tree.ts'

/** The variables of the file's env files and then of the app's, in order. dotenv is loaded when there is one. */
export async function collectEnvFiles(app: AppNode, context: BuildContext): Promise<Map<string, RawValue>> {
  const values = new Map<string, RawValue>()
  const own = app.node.entries.get('env_file')?.value ?? null
  const files = [...listed(context.envFiles, 'env_file'), ...listed(own, `${app.label}.env_file`)]
  if (files.length === 0) return values
  const { readEnvFile } = await import('./env-file.ts')
  for (const { name, isSecret, isOptional, at, label } of files) {
    const file = readEnvFile(path.resolve(context.folder, name))
    if (file.ok) {
      const secret = isSecret ? `env_file:${name}` : null
      for (const [key, value] of Object.entries(file.values)) values.set(key, { value, secret })
    } else if (!(file.isMissing && isOptional)) {
      const hint = file.isMissing ? `create it, or write { path: ${name}, optional: true }` : null
      context.problems.error(at, `${label}: cannot use ${path.resolve(context.folder, name)}: ${file.reason}`, hint)
    }
  }
  return values
}

interface ListedFile {
  readonly name: string
  readonly isSecret: boolean
  readonly isOptional: boolean
  readonly at: Span | null
  readonly label: string
}

function listed(node: TreeNode | null, label: string): ListedFile[] {
  const items = node?.kind === 'list' ? node.items : node ? [node] : []
  return items.map((item) => {
    if (item.kind !== 'map') return { name: textOf(item), isSecret: false, isOptional: false, at: item.at, label }
    const name = item.entries.get('path')?.value
    const isOn = (key: string): boolean => textOf(item.entries.get(key)?.value) === 'true'
    const at = name?.at ?? item.at
    return { name: textOf(name), isSecret: isOn('secret'), isOptional: isOn('optional'), at, label }
  })
}

function textOf(node: TreeNode | undefined): string {
  return node?.kind === 'scalar' ? String(node.value) : ''
}
