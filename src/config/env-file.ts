import { readFileSync } from 'node:fs'
import { parse } from 'dotenv'
import { errnoOf, reasonOf } from './read-source.ts'

export const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

export type EnvFile =
  | { readonly ok: true; readonly values: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly isMissing: boolean; readonly reason: string }

/** Reads a dotenv file as data; process.env stays as it is. */
export function readEnvFile(file: string): EnvFile {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const code = errnoOf(error)
    return { ok: false, isMissing: code === 'ENOENT' || code === 'ENOTDIR', reason: reasonOf(code) }
  }
  const values = parse(text)
  const bad = Object.keys(values).find((name) => !ENV_NAME.test(name))
  if (bad === undefined) return { ok: true, values }
  const line =
    text.split('\n').findIndex((one) =>
      one
        .trim()
        .replace(/^export\s+/, '')
        .startsWith(bad),
    ) + 1
  return { ok: false, isMissing: false, reason: `line ${line} has the invalid name ${JSON.stringify(bad)}` }
}
