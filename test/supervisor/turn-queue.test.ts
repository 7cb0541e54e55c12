import { expect, test } from 'vitest'
import { TurnQueue } from '../../src/supervisor/turn-queue.ts'

function busy(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until;);
}

test('work is done at once while there is time, and what is too much waits for later turns, in order', async () => {
  const queue = new TurnQueue(5)
  const done: number[] = []
  for (let i = 0; i < 20; i++) {
    queue.add(() => {
      busy(2)
      done.push(i)
    })
  }
  expect(done.length).toBeGreaterThanOrEqual(1)
  expect(done.length).toBeLessThanOrEqual(3)
  const turns: number[] = []
  while (done.length < 20) {
    const before = done.length
    await new Promise((resolve) => setImmediate(resolve))
    turns.push(done.length - before)
  }
  expect(done).toEqual(Array.from({ length: 20 }, (_, i) => i))
  expect(Math.max(...turns)).toBeLessThanOrEqual(3)
})

test('the first work of a turn never waits, also after a burst', async () => {
  const queue = new TurnQueue(1)
  const done: string[] = []
  queue.add(() => busy(3))
  queue.add(() => done.push('burst'))
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve))
  expect(done).toEqual(['burst'])
  queue.add(() => done.push('alone'))
  expect(done).toEqual(['burst', 'alone'])
})

test('work that throws does not hold up the rest', async () => {
  const queue = new TurnQueue(5)
  const done: string[] = []
  const complaints: unknown[] = []
  const original = console.error
  console.error = (error: unknown) => void complaints.push(error)
  queue.add(() => {
    busy(6)
    throw new Error('a bug')
  })
  queue.add(() => done.push('second'))
  await new Promise((resolve) => setImmediate(resolve))
  console.error = original
  expect(done).toEqual(['second'])
  expect(String(complaints[0])).toContain('a bug')
})
