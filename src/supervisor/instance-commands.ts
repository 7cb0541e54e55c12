import { neutraliseLines } from '../model/neutralise.ts'
import type { Hook, HookName, Hooks } from '../model/spec.ts'
import { type CommandRun, runCommand } from './command-run.ts'
import { concealSecrets } from './conceal-secrets.ts'
import { commandEnvironment, type InstanceContext } from './environment.ts'
import { type Instance, type InstanceEvent, pidOf } from './instance-state.ts'
import type { RunLogs } from '../logs/run-logs.ts'
import type { AppSpec } from '../model/spec.ts'
import type { Outputs } from './outputs.ts'
import { deliverStopMessage } from './stop-message.ts'

/** The instance that the commands run for. */
export interface CommandsOwner {
  readonly spec: AppSpec
  readonly instance: Instance
  readonly context: InstanceContext
  /** Where their output goes. */
  readonly log: string | null
  readonly host: { readonly outputs: Outputs; readonly logs: RunLogs }
  readonly feed: (event: InstanceEvent) => void
}

export const HOOK_NAMES: readonly HookName[] = ['pre_start', 'post_start', 'pre_stop', 'post_stop']

export function hookOf({ preStart, postStart, preStop, postStop }: Hooks, name: HookName): Hook | null {
  return { pre_start: preStart, post_start: postStart, pre_stop: preStop, post_stop: postStop }[name]
}

/** The commands of the user around the life of one instance: its hooks, and what asks it to stop. */
export class InstanceCommands {
  readonly #owner: CommandsOwner
  #hook: CommandRun | null = null
  #check: CommandRun | null = null

  constructor(owner: CommandsOwner) {
    this.#owner = owner
  }

  runHook(incarnation: number, hook: HookName): void {
    const ended = (failure: string | null): void => {
      if (this.#hook === run) this.#hook = null
      this.#owner.feed({ type: 'hook-ended', incarnation, hook, failure })
    }
    const command = hookOf(this.#owner.spec.hooks, hook)
    // Taken away by an update just now: there is nothing to run.
    if (command === null) return queueMicrotask(() => ended(null))
    const run = this.#run(command, { ECO_HOOK: hook }, ended)
    this.#hook = run
  }

  /** @returns why it failed; null: it succeeded */
  runCheck(check: Hook, extra: Record<string, string>): Promise<string | null> {
    return new Promise((resolve) => {
      const ended = (failure: string | null): void => {
        this.#check = null
        resolve(failure)
      }
      this.#check = this.#run(check, extra, ended)
    })
  }

  cancelCheck(): void {
    this.#check?.cancel()
  }

  cancelHook(): void {
    this.#hook?.cancel()
  }

  /** @param failed told why the message or the command has not reached it */
  askToStop(pid: number, failed: (why: string) => void): void {
    const { message, exec, timeoutMs } = this.#owner.spec.stop
    if (exec !== null) {
      this.#run({ command: exec, timeoutMs }, {}, (failure) => {
        if (failure !== null && pidOf(this.#owner.instance) === pid) failed(`its stop command failed: ${failure}`)
      })
    } else if (!deliverStopMessage(pid)) failed(`no process of it takes the message ${message}`)
  }

  #run(hook: Hook, extra: Record<string, string>, ended: (failure: string | null) => void): CommandRun {
    const { spec, instance, context, log, host } = this.#owner
    const env = { ...commandEnvironment(spec, context, pidOf(instance), instance.lastExit), ...extra }
    return runCommand(
      hook,
      { cwd: spec.cwd, env, attributes: spec.attributes, log, outputs: host.outputs, logs: host.logs },
      (failure) => ended(failure === null ? null : neutraliseLines(concealSecrets(failure, spec, context))),
    )
  }
}
