/** A view over the events of an apply: it only shows, the work is the daemon's. */

import type { StreamEvent } from '../daemon/protocol.ts'
import type { StepEvent } from '../model/events.ts'
import type { Plan, Step } from '../model/plan.ts'

export interface Progress {
  onEvent(event: StreamEvent): void
  /** After the last event. */
  end(): Promise<void>
}

/** listr2 on a terminal, plain lines on stderr elsewhere. */
export async function showProgress(plan: Plan): Promise<Progress> {
  return process.stderr.isTTY ? listProgress(plan) : lineProgress(plan)
}

function title(step: Step): string {
  const count = step.to !== step.from && step.action === 'scale' ? ` ${step.from} -> ${step.to}` : ''
  return `${step.action} ${step.app}${count}`
}

/** A stop goes beside an apply, and the events of both come in. */
function isOf(step: Step | undefined, { app, action }: StepEvent): step is Step {
  return step?.app === app && step.action === action
}

/** One line for each step that has ended. */
export function lineProgress(plan: Plan): Progress {
  const steps = new Map(plan.steps.map((step) => [step.id, step]))
  return {
    onEvent(event) {
      if (event.type === 'instance') process.stderr.write(`  ${event.instance} ${indented(event.message)}\n`)
      if (
        event.type !== 'step' ||
        event.status === 'started' ||
        event.status === 'progress' ||
        event.status === 'paused'
      )
        return
      const step = steps.get(event.id)
      if (!isOf(step, event)) return
      const why = event.message === null ? '' : `: ${indented(event.message)}`
      process.stderr.write(`${event.status} ${event.id}/${plan.steps.length} ${title(step)}${why}\n`)
    },
    end: () => Promise.resolve(),
  }
}

/** What a hook printed stands below the line that tells of it. */
function indented(message: string): string {
  return message.replaceAll('\n', '\n    ')
}

async function listProgress(plan: Plan): Promise<Progress> {
  const { Listr } = await import('listr2')
  const views = new Map(plan.steps.map((step) => [step.id, new StepView()]))
  const tasks = plan.steps.map((step) => ({
    title: title(step),
    task: async (_context: unknown, task: { output: string; skip(message: string): void }) => {
      const end = await views.get(step.id)?.watch((message) => {
        task.output = message
      })
      if (!end || end.status === 'done') return
      if (end.status === 'skipped') task.skip(`${title(step)} (skipped: ${end.message ?? ''})`)
      else throw new Error(`${title(step)} ${end.status}: ${end.message ?? ''}`)
    },
  }))
  const list = new Listr(tasks, {
    concurrent: true,
    exitOnError: false,
    rendererOptions: { outputToStderr: true, collapseErrors: false } as object,
  })
  const finished = list.run().catch(() => {})
  return {
    onEvent(event) {
      if (event.type === 'instance') {
        const step = plan.steps.find((it) => it.app === event.app)
        if (step) views.get(step.id)?.say(`${event.instance} ${event.message}`)
      }
      if (event.type !== 'step' || !isOf(plan.steps[event.id - 1], event)) return
      if (event.status === 'progress' || event.status === 'paused') views.get(event.id)?.say(event.message ?? '')
      else if (event.status !== 'started') views.get(event.id)?.end(event)
    },
    async end() {
      for (const view of views.values()) view.end(null)
      await finished
    },
  }
}

/** Joins the events of a step, which come when they come, with its task, which listr2 starts when it likes. */
class StepView {
  readonly #ended: Promise<StepEvent | null>
  #resolve: (end: StepEvent | null) => void = () => {}
  #print: ((message: string) => void) | null = null

  constructor() {
    this.#ended = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  /** @returns how the step ended; null when nobody will tell */
  watch(print: (message: string) => void): Promise<StepEvent | null> {
    this.#print = print
    return this.#ended
  }

  say(message: string): void {
    this.#print?.(message)
  }

  end(event: StepEvent | null): void {
    this.#print = null // listr2 throws at output of a task that has ended
    this.#resolve(event)
  }
}
