import { existsSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { formatDuration } from './duration.ts'
import type { EvaluateReply, EvaluateRequest } from './evaluate-worker.ts'
import { explainSyntaxError, ownFrames, positionIn } from './evaluate-error.ts'
import { fromData } from './from-data.ts'
import type { Report } from './problem.ts'
import { entryAt, formatPath } from './tree.ts'
import type { Span, TreeNode } from './tree.ts'

const DEADLINE_MS = 10_000

/** Ended without an answer. */
type Silence =
  | { readonly type: 'deadline'; readonly ms: number }
  | { readonly type: 'never-settled' }
  | { readonly type: 'crashed'; readonly message: string }

/**
 * Evaluates a TS/JS ecosystem file and makes its value a tree.
 *
 * @returns null when it has no usable value; why went to `report`
 */
export async function evaluateFile(
  request: EvaluateRequest,
  source: string,
  env: Readonly<Record<string, string | undefined>>,
  report: Report,
): Promise<{ readonly tree: TreeNode; readonly isFunction: boolean } | null> {
  const deadlineMs = Number(env['ECO_CONFIG_TIMEOUT_MS']) || DEADLINE_MS
  const reply = await runWorker(request, env, deadlineMs)
  switch (reply.type) {
    case 'value':
      return { tree: fromData(reply.value, source), isFunction: reply.isFunction }
    case 'not-data':
      report(positionOf(reply.path, source), `${formatPath(reply.path)} must be plain data, but is ${reply.what}`)
      break
    case 'threw': {
      const at =
        positionIn(reply.stack, request.file, source) ?? (await explainSyntaxError(reply, request.file, source))
      const frames = ownFrames(reply.stack)
      report(at, `the file threw ${reply.name}: ${reply.message}`, frames.length > 0 ? frames.join('\n        ') : null)
      break
    }
    case 'exited':
      report(null, `the file called process.exit(${reply.code})`, 'throw an error instead, or export a value')
      break
    case 'deadline':
      report(null, `the file did not finish within ${formatDuration(reply.ms)}`, 'ECO_CONFIG_TIMEOUT_MS allows more')
      break
    case 'never-settled':
      report(null, 'the promise that the file exports never settles')
      break
    case 'crashed':
      report(null, `evaluating the file failed: ${reply.message}`)
      break
  }
  return null
}

async function runWorker(
  request: EvaluateRequest,
  env: Readonly<Record<string, string | undefined>>,
  deadlineMs: number,
): Promise<EvaluateReply | Silence> {
  const worker = new Worker(workerFile(), {
    workerData: request,
    env: Object.fromEntries(
      Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    ),
    stdout: true,
    stderr: true,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 512 },
  })
  // stdout is eco's answer; what a config prints is part of the story.
  worker.stdout.pipe(process.stderr, { end: false })
  worker.stderr.pipe(process.stderr, { end: false })
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  const outcome = await new Promise<EvaluateReply | Silence>((resolve) => {
    const timer = setTimeout(() => resolve({ type: 'deadline', ms: deadlineMs }), deadlineMs)
    worker.once('message', resolve)
    worker.once('error', (error) => resolve({ type: 'crashed', message: error.message }))
    worker.once('exit', () => resolve({ type: 'never-settled' }))
    void ended.then(() => clearTimeout(timer))
  })
  await worker.terminate()
  await ended
  return outcome
}

/** Beside the bundle or above its chunks; from source (tests), the built one. */
function workerFile(): URL {
  const places = ['./evaluate-worker.js', '../evaluate-worker.js', '../../dist/evaluate-worker.js']
  const urls = places.map((place) => new URL(place, import.meta.url))
  const found = urls.find((url) => existsSync(url))
  if (!found) throw new Error('Internal error: evaluate-worker.js is not there; was eco built?')
  return found
}

function positionOf(path: ReadonlyArray<string | number>, source: string): Span | null {
  // The value itself is no data, so its place is found through a tree that holds just its path.
  const data = path.reduceRight<unknown>((inner, key) => (typeof key === 'number' ? inner : { [key]: inner }), null)
  return (
    entryAt(
      fromData(data, source),
      path.filter((key) => typeof key === 'string'),
    )?.keyAt ?? null
  )
}
