/** What scripts/generate.mjs compiles from schemas/ecosystem.schema.json with ajv. */

export interface SchemaError {
  readonly instancePath: string
  readonly schemaPath: string
  readonly keyword: string
  readonly params: Readonly<Record<string, unknown>>
  /** Set when the problem is the name of a key, not its value. */
  readonly propertyName?: string
}

interface Validate {
  (data: unknown): boolean
  errors: readonly SchemaError[] | null
}

export declare const validate: Validate
export default validate
