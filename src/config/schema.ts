import type { Path } from './tree.ts'
import file from '../../schemas/ecosystem.schema.json' with { type: 'json' }

/** The part of JSON Schema that schemas/ecosystem.schema.json uses. */
export interface Schema {
  readonly $ref?: string
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema | boolean
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly 'x-impact'?: string
  /** What a value must be, in words, for error messages. */
  readonly 'x-expects'?: string
  /** The texts that are possible beside values of other types. */
  readonly 'x-values'?: readonly string[]
  /** What a key of the map must be, in words. */
  readonly 'x-key'?: string
}

/** The schema itself. Only error messages, conversion and `eco explain` load this module. */
export const ECOSYSTEM_SCHEMA = file as Schema

/** A schema with its $ref followed; what stands beside the $ref wins. */
export function resolveRef(schema: Schema): Schema {
  if (schema.$ref === undefined) return schema
  const target = (file.$defs as Readonly<Record<string, Schema>>)[schema.$ref.replace('#/$defs/', '')]
  const { $ref: _, ...own } = schema
  return { ...resolveRef(target ?? {}), ...own }
}

/** The schema of the value at a path of an ecosystem file, or null where the schema knows no such place. */
export function schemaAt(path: Path): Schema | null {
  let schema = resolveRef(ECOSYSTEM_SCHEMA)
  for (const segment of path) {
    const next = typeof segment === 'number' ? schema.items : childSchema(schema, segment)
    if (!next) return null
    schema = resolveRef(next)
  }
  return schema
}

function childSchema(schema: Schema, key: string): Schema | null {
  if (schema.properties && Object.hasOwn(schema.properties, key)) return schema.properties[key] ?? null
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : null
}

/** The types a schema allows, null left out: in an overlay every setting may be null. */
export function typesOf(schema: Schema): readonly string[] {
  return [schema.type ?? []].flat().filter((type) => type !== 'null')
}
