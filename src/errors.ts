/** Failures a user can meet, each with a stable code and an exit code. A plain Error is a bug in eco. */

/** DESIGN §5. */
export const EXIT = {
  ok: 0,
  internal: 1,
  changes: 2,
  drift: 3,
  invalid: 4,
  refused: 5,
  rolledBack: 6,
  needsPerson: 7,
  notReady: 8,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

const EXIT_OF = {
  CONFIG_INVALID: EXIT.invalid,
  CONFIG_NOT_FOUND: EXIT.invalid,
  USAGE: EXIT.invalid,
  UNKNOWN_TARGET: EXIT.refused,
  NOT_CONFIRMED: EXIT.refused,
  PLAN_STALE: EXIT.refused,
  LOCKED: EXIT.refused,
  GUARD: EXIT.refused,
  STATE_DAMAGED: EXIT.refused,
  STATE_NEWER: EXIT.refused,
  STATE_UNWRITABLE: EXIT.refused,
  DAEMON_UNREACHABLE: EXIT.refused,
  DAEMON_VERSION: EXIT.refused,
  /** What became of the request is not known. */
  DAEMON_ENDED: EXIT.needsPerson,
  /** The daemon ended in the middle of a change, and the next one has taken it back. */
  CUT_OFF: EXIT.rolledBack,
  UPGRADE_FAILED: EXIT.refused,
  INTERNAL: EXIT.internal,
} as const satisfies Record<string, ExitCode>
export type ErrorCode = keyof typeof EXIT_OF

/**
 * An expected failure. `message` says what, where and the value seen; `hint` is the next command to type;
 * `details` are further lines, printed as they are.
 */
export class EcoError extends Error {
  readonly code: ErrorCode
  readonly hint: string | null
  readonly details: readonly string[]

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string | undefined; details?: readonly string[]; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'EcoError'
    this.code = code
    this.hint = options.hint ?? null
    this.details = options.details ?? []
  }

  get exitCode(): ExitCode {
    return EXIT_OF[this.code]
  }
}

/** An error code that came over the wire; anything unknown is a bug of the sender. */
export function errorCode(code: string): ErrorCode {
  return Object.hasOwn(EXIT_OF, code) ? (code as ErrorCode) : 'INTERNAL'
}

/** Makes a switch over a union exhaustive. */
export function unreachable(value: never): never {
  throw new Error(`Internal error: unexpected ${JSON.stringify(value)}`)
}
