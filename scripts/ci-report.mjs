/**
 * What the reports of vitest say, for .ci/run: `ci-report.mjs counts|failed|flaky|skipped|failed-files REPORT [SECOND]`.
 * SECOND is the report of the files that failed, run once more; it may not be there.
 */

import { existsSync, readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

const [what, first, second] = process.argv.slice(2)

/** @returns every test, and every file that could not be loaded, as { file, name, status, why } */
function read(path) {
  if (!path || !existsSync(path)) return []
  const { testResults } = JSON.parse(readFileSync(path, 'utf8'))
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(process.cwd(), name)
    // A hook that fails does so for the file as a whole.
    const isBroken = status === 'failed' && assertionResults.every((it) => it.status !== 'failed')
    return [
      ...assertionResults.map((it) => ({ file, name: it.fullName, status: it.status, why: it.failureMessages?.[0] })),
      ...(isBroken ? [{ file, name: '(the file as a whole)', status: 'failed', why: message }] : []),
    ]
  })
}

const tests = read(first)
const again = new Map(read(second).map((it) => [`${it.file} ${it.name}`, it]))
const secondFiles = new Set([...again.values()].map(({ file }) => file))
const failed = tests.filter((it) => it.status === 'failed')
const isFlaky = (it) => {
  const found = again.get(`${it.file} ${it.name}`)
  return found ? found.status === 'passed' : it.name === '(the file as a whole)' && secondFiles.has(it.file)
}
const flaky = failed.filter(isFlaky)
const broken = failed.filter((it) => !isFlaky(it))

const tell = (word) => (it) => {
  const lines = stripVTControlCharacters(it.why ?? '').split('\n')
  const why = lines.filter((line) => !line.includes('node_modules')).slice(0, 10)
  console.log([`${word}  ${it.file}  ${it.name}`, ...why].join('\n        ').slice(0, 1200))
}

if (what === 'failed-files') for (const file of new Set(failed.map((it) => it.file))) console.log(file)
else if (what === 'failed') broken.forEach(tell('FAILED'))
else if (what === 'flaky') flaky.forEach(tell('FLAKY '))
else if (what === 'skipped') {
  for (const it of tests) if (it.status === 'skipped') console.log(`SKIPPED  ${it.file}  ${it.name}`)
} else {
  const passed =
    tests.filter((it) => it.status === 'passed').length + flaky.filter((it) => !it.name.startsWith('(')).length
  // A run that left no report at all is a failure too.
  console.log(passed, broken.length + (tests.length === 0 ? 1 : 0))
}
