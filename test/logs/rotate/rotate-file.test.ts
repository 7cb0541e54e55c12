import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FollowedFile } from '../../../src/logs/followed-file.ts'
import { rotateFile } from '../../../src/logs/rotate/rotate-file.ts'
import { savedTail } from '../../../src/logs/rotate/stop-and-cut.ts'
import { SPEC_DEFAULTS } from '../../../src/model/defaults.ts'
import { folderOn } from '../../support/file-systems.ts'
import { wholeLog } from '../../support/log-check.ts'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'eco-rotate-'))
})
afterEach(() => rmSync(home, { recursive: true }))

test('a stopped copy whose process dies at once is not taken for done because of what an earlier one left', async (context) => {
  const folder = folderOn('tmpfs', home)
  if (folder === null) return context.skip()
  const path = join(folder, 'api.log')
  writeFileSync(path, 'one\ntwo\n')
  writeFileSync(savedTail(path, 'done'), '')
  const helper = join(home, 'dies.cjs')
  writeFileSync(helper, 'process.kill(process.pid, "SIGKILL")')
  const file = new FollowedFile(home, path)
  const result = await rotateFile(file, { home, helper, policy: SPEC_DEFAULTS.rotation, all: true })
  expect(result).toMatchObject({ type: 'failed' })
  file.write()
  expect(wholeLog(home, path)).toMatchObject({ text: 'one\ntwo\n', ledger: { archives: [], pending: null } })
  expect(readdirSync(folder)).toEqual(['api.log'])
})
