/**
 * Secrets at rest: values are sealed with AES-256-GCM under a key that never leaves ECO_HOME, and compared by a keyed
 * digest. State, plans and events hold only sealed values; a copy of them without the key tells nothing.
 */

import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EcoError } from '../errors.ts'

/** Loaded at the first secret: most commands, and a daemon without secrets, do without. */
const crypto = (): typeof import('node:crypto') => process.getBuiltinModule('node:crypto')

const NONCE_BYTES = 12
const TAG_BYTES = 16

export interface SealedValue {
  /** Hex digest under the key of this ECO_HOME: equal for equal values. */
  readonly fingerprint: string
  /** base64 of nonce, tag and ciphertext. */
  readonly sealed: string
}

/** Seals and opens values under one key. */
export class SecretBox {
  readonly #sealKey: Buffer
  readonly #digestKey: Buffer

  constructor(key: Buffer) {
    this.#sealKey = crypto().createHmac('sha256', key).update('eco seal').digest()
    this.#digestKey = crypto().createHmac('sha256', key).update('eco fingerprint').digest()
  }

  seal(value: string): SealedValue {
    const nonce = crypto().randomBytes(NONCE_BYTES)
    const cipher = crypto().createCipheriv('aes-256-gcm', this.#sealKey, nonce)
    const body = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()])
    return {
      fingerprint: crypto().createHmac('sha256', this.#digestKey).update(value).digest('hex').slice(0, 32),
      sealed: Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64'),
    }
  }

  /** @throws EcoError STATE_DAMAGED when the value was sealed under another key or changed since. */
  open(sealed: string): string {
    const bytes = Buffer.from(sealed, 'base64')
    try {
      const decipher = crypto().createDecipheriv('aes-256-gcm', this.#sealKey, bytes.subarray(0, NONCE_BYTES))
      decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
      return decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
    } catch (cause) {
      throw new EcoError(
        'STATE_DAMAGED',
        'A stored secret cannot be opened: secret.key in ECO_HOME is not the key it was sealed with.',
        {
          hint: 'restore secret.key, or apply the ecosystem file again',
          cause,
        },
      )
    }
  }
}

/**
 * Reads ECO_HOME/secret.key, creating it on first use. Of several processes creating it at once one wins and all use
 * its key: the file appears complete, by link(2), or not at all.
 */
export function openSecretBox(home: string): SecretBox {
  const path = join(home, 'secret.key')
  return new SecretBox(readKey(path) ?? createKey(home, path))
}

/** The same, where a key is; makes none. @throws EcoError STATE_DAMAGED */
export function existingSecretBox(home: string): SecretBox | null {
  const key = readKey(join(home, 'secret.key'))
  return key && new SecretBox(key)
}

function readKey(path: string): Buffer | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new EcoError('STATE_DAMAGED', `Cannot read ${path}: ${(error as Error).message}`, { cause: error })
  }
  if (!/^[0-9a-f]{64}\s*$/i.test(text)) {
    throw new EcoError('STATE_DAMAGED', `${path} is damaged: it must hold 64 hexadecimal digits.`, {
      hint: `restore it from a backup, or remove it and apply every ecosystem file again: rm ${path}`,
    })
  }
  return Buffer.from(text.trim(), 'hex')
}

function createKey(home: string, path: string): Buffer {
  mkdirSync(home, { recursive: true, mode: 0o700 })
  // Not the pid: in a container it is the same after every crash.
  const temporary = `${path}.${crypto().randomBytes(6).toString('hex')}`
  const fd = openSync(temporary, 'wx', 0o600)
  try {
    writeFileSync(fd, `${crypto().randomBytes(32).toString('hex')}\n`)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  try {
    linkSync(temporary, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    unlinkSync(temporary)
  }
  const key = readKey(path)
  if (!key) throw new Error(`Internal error: ${path} vanished while it was created`)
  return key
}
