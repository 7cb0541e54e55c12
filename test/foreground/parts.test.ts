import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { plainLines } from '../../src/foreground/line-format.ts'
import { jsonLines } from '../../src/logs/line-format.ts'
import { prefixOf } from '../../src/logs/prefix.ts'
import { RecentLog } from '../../src/foreground/recent-log.ts'
import { actOf, type SignalAct } from '../../src/foreground/signals.ts'

const lines = (...text: string[]): Buffer[] => text.map((line) => Buffer.from(line))

describe('how lines are printed', () => {
  test('each with the name of its instance', () => {
    expect(plainLines(lines('one', '', 'two'), prefixOf('api#0', 7, null)).toString()).toBe(
      'api#0   | one\napi#0   | \napi#0   | two\n',
    )
  })
  test('in the colour of its app, which ends before the line', () => {
    expect(plainLines(lines('x'), prefixOf('api#0', 5, 36)).toString()).toBe('\u001b[36mapi#0 |\u001b[0m x\n')
  })
  test('byte for byte', () => {
    const odd = Buffer.from([0, 255, 128, 27, 13])
    expect(plainLines([odd])).toEqual(Buffer.concat([odd, Buffer.from('\n')]))
  })
  test('as JSON, one object a line, whatever is in them', () => {
    const source = { app: 'api', instance: 'api#0', stream: 'stderr' } as const
    const [one, two, ...none] = jsonLines(lines('say "hi"\t\u2028', 'dos\r'), source, 0).toString().split('\n')
    expect(JSON.parse(one ?? '')).toEqual({ time: '1970-01-01T00:00:00.000Z', ...source, message: 'say "hi"\t\u2028' })
    expect(JSON.parse(two ?? '')).toMatchObject({ message: 'dos' })
    expect(none).toEqual([''])
  })
})

describe('what a signal asks for', () => {
  const cases: [NodeJS.Signals, number | null, SignalAct][] = [
    ['SIGTERM', null, 'stop'],
    ['SIGINT', null, 'stop'],
    ['SIGHUP', null, 'stop'],
    ['SIGQUIT', null, 'stop'],
    ['SIGTERM', 5000, 'ignore'],
    ['SIGINT', 100, 'ignore'],
    ['SIGINT', 600, 'kill'],
    ['SIGQUIT', 600, 'kill'],
    ['SIGUSR1', null, 'forward'],
    ['SIGUSR2', 600, 'forward'],
    ['SIGWINCH', null, 'ignore'],
  ]
  test.each(cases)('%s, %s ms after the end was asked for: %s', (signal, since, act) => {
    expect(actOf(signal, since)).toBe(act)
  })
})

describe('the latest output of a run', () => {
  function file(): string {
    const dir = mkdtempSync(join(tmpdir(), 'eco-recent-'))
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
    return join(dir, 'api-0.out.log')
  }
  test('does not grow beyond its limit, ends with what came last, and begins with a line', () => {
    const path = file()
    const log = new RecentLog(path, 200_000)
    for (let n = 0; n < 50_000; n++) log.write(Buffer.from(`line ${n}\n`))
    log.close()
    expect(statSync(path).size).toBeLessThanOrEqual(200_000)
    const kept = readFileSync(path, 'utf8').trimEnd().split('\n')
    expect(kept.at(-1)).toBe('line 49999')
    expect(kept.every((line) => /^line \d+$/.test(line))).toBe(true)
    expect(kept.length).toBeGreaterThan(1000)
  })
  test('keeps nothing of the runs before it when it is cut', () => {
    const path = file()
    writeFileSync(path, `${'old\n'.repeat(30_000)}`)
    const log = new RecentLog(path, 130_000)
    log.write(Buffer.from('first\n'))
    log.write(Buffer.from('x\n'.repeat(10_000)))
    log.close()
    expect(readFileSync(path, 'utf8')).not.toContain('old')
  })
})
