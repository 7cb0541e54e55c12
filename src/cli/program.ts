import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { closest } from '../model/closest.ts'
import type { RolloutAction, Selection, Verb } from '../daemon/protocol.ts'
import { EcoError, EXIT } from '../errors.ts'
import { VERSION } from '../version.ts'
import type { DoctorOptions } from './commands/doctor.ts'
import type { StartupOptions } from './commands/startup.ts'
import type { RunCommandOptions } from './commands/run.ts'
import type { LogsOptions } from './logs/query.ts'
import { reportError } from './report-error.ts'

const EXIT_CODES = `
Exit codes: 0 done or nothing to do · 1 a bug in eco · 2 diff --exit-code: changes · 3 diff --exit-code: drift only
  4 invalid file or usage, nothing done · 5 refused (stale plan, busy, guard, unknown target), nothing done
  6 rolled back, the old version serves · 7 failed and not rolled back: a person is needed · 8 not ready in time or cancelled, kept`

/**
 * Parses the command line and runs it. Every command's code is loaded only when it runs.
 *
 * @returns the exit code
 */
export async function run(argv: readonly string[]): Promise<number> {
  let code: number = EXIT.ok
  const program = buildProgram((result) => {
    code = result
  })
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version were asked for; everything else is a mistake on the command line, already printed.
      return error.exitCode === 0 ? EXIT.ok : EXIT.invalid
    }
    return reportError(error, argv.includes('--json'))
  }
}

type Done = (code: number) => void

function buildProgram(done: Done): Command {
  const program = new Command('eco')
    .description('Keeps a set of applications exactly as an ecosystem file says.')
    .version(VERSION, '-v, --version')
    .option('--upgrade', 'with any command: upgrade an older daemon first; no app notices (or set ECO_UPGRADE=1)')
    .hook('preAction', async (_, action) => {
      const changes = changesSomething(action)
      const upgrade = wantsUpgrade(program) && action.parent?.name() !== 'daemon'
      if (changes || upgrade) await (await import('./meet-daemon.ts')).meetDaemon({ upgrade, changes })
    })
    .helpCommand('help [command]', 'help for a command')
    .configureHelp({ showGlobalOptions: false })
    .showSuggestionAfterError(true)
    .showHelpAfterError('(eco --help lists the commands)')
    .exitOverride()
    .addHelpText('after', EXIT_CODES)
  addFileCommands(program, done)
  addPlanCommands(program, done)
  addRunCommand(program, done)
  addHistoryCommands(program, done)
  addViewCommands(program, done)
  addVerbs(program, done)
  addRolloutCommands(program, done)
  addDaemonCommands(program, done)
  addDoctor(program, done)
  addBootCommands(program, done)
  program.allowExcessArguments().action((_options, command: Command) => unknownCommand(command))
  return program
}

function wantsUpgrade(program: Command): boolean {
  return program.opts<{ upgrade?: boolean }>().upgrade === true || process.env['ECO_UPGRADE'] === '1'
}

/** Commands after which something is otherwise than before: there a daemon of another version is worth a line. */
function changesSomething(action: Command): boolean {
  const name = pathOf(action).replace(/^eco /, '')
  return CHANGING.has(name)
}

function unknownCommand(program: Command): void {
  const [word] = program.args
  if (word === undefined) {
    program.outputHelp()
    return
  }
  const near = closest(
    word,
    program.commands.flatMap((command) => [command.name(), ...command.aliases()]),
  )
  throw new EcoError('USAGE', `eco has no command "${word}".`, {
    hint: near ? `did you mean "${pathOf(program)} ${near}"?` : 'eco --help lists the commands',
  })
}

function addFileCommands(program: Command, done: Done): void {
  command(program, 'init', 'write a first ecosystem.yaml')
    .argument('[dir]', 'where', '.')
    .option('--force', 'replace an existing file')
    .action(async (dir: string, options: { force?: boolean }) => {
      const { init } = await import('./commands/init.ts')
      init(dir, options.force === true)
    })
  command(program, 'validate', 'check an ecosystem file; nothing is changed')
    .argument('[file]', 'the file; found by walking up when not given')
    .addOption(environmentOption())
    .addOption(jsonOption())
    .action(async (file: string | undefined, options: FileOptions) => {
      const { validate } = await import('./commands/validate.ts')
      done(await validate(file ?? null, options.env ?? null, options.json === true))
    })
  command(program, 'config', 'the effective file of an environment, merged and interpolated, secrets masked')
    .argument('[file]', 'the file; found by walking up when not given')
    .addOption(environmentOption())
    .addOption(jsonOption())
    .action(async (file: string | undefined, options: FileOptions) => {
      const { config } = await import('./commands/config.ts')
      await config(file ?? null, options.env ?? null, options.json === true)
    })
  command(program, 'explain', 'what a key of the file means: type, default, impact, example')
    .argument('[key]', 'a key such as ready.http or apps.api.stop; every key when not given')
    .addOption(jsonOption())
    .action(async (key: string | undefined, options: { json?: boolean }) => {
      const { explain } = await import('./commands/explain.ts')
      explain(key ?? null, options.json === true)
    })
}

interface FileOptions {
  readonly env?: string
  readonly json?: boolean
}

export interface DiffOptions extends FileOptions {
  readonly exitCode?: boolean
  readonly format?: 'text' | 'json' | 'markdown'
  readonly out?: string
  readonly only?: string[]
  readonly all?: boolean
  readonly allowEmpty?: boolean
  readonly takeOver?: boolean
}

export interface ApplyOptions extends FileOptions {
  readonly only?: string[]
  readonly plan?: string
  readonly yes?: boolean
  readonly wait: boolean
  readonly allowEmpty?: boolean
  readonly takeOver?: boolean
}

function addPlanCommands(program: Command, done: Done): void {
  for (const name of ['diff', 'plan']) {
    command(program, name, name === 'diff' ? 'what an apply would do, and why' : 'the same as diff')
      .argument('[file]', 'the file; found by walking up when not given')
      .addOption(environmentOption())
      .option('--exit-code', 'exit with 2 when changes are pending, 3 when there is only drift')
      .addOption(
        new Option('--format <format>', 'how to print the plan').choices(['text', 'json', 'markdown']).default('text'),
      )
      .option('--json', 'short for --format json')
      .option('--out <file>', 'save the plan for eco apply --plan')
      .option('--only <selector...>', 'look at these apps only')
      .option('--all', 'list unchanged apps too')
      .option('--allow-empty', 'allow a plan that removes every app')
      .option('--take-over', 'allow a plan for a scope that came from another file')
      .action(async (file: string | undefined, options: DiffOptions) => {
        const { diff } = await import('./commands/diff.ts')
        done(await diff(file ?? null, options))
      })
  }
  command(program, 'apply', 'make the scope what the file says, and wait until it is')
    .argument('[file]', 'the file; found by walking up when not given')
    .addOption(environmentOption())
    .option('--only <selector...>', 'apply these apps only; nothing else is touched or removed')
    .option('--plan <file>', 'apply exactly this plan, saved by eco diff --out; refused when it is stale')
    .option('-y, --yes', 'do not ask')
    .option('--no-wait', 'return once the apply has begun')
    .option('--allow-empty', 'allow an apply that removes every app')
    .option('--take-over', 'apply to a scope that came from another file')
    .addOption(jsonOption())
    .action(async (file: string | undefined, options: ApplyOptions) => {
      const { apply } = await import('./commands/apply.ts')
      done(await apply(file ?? null, options))
    })
}

const RUN_HELP = `
The apps run for as long as this command does, and nothing is left behind: no daemon, no state, no log files.
It waits for no question, and sees nothing of a daemon that runs.

Output: each app's stdout goes to stdout and its stderr to stderr, whole lines, prefixed when there are several
  instances; what eco has to say goes to stderr.
Signals: SIGTERM, SIGINT, SIGHUP and SIGQUIT end the apps in order, and then this command; SIGINT or SIGQUIT once more
  kills what is left. SIGUSR1 and SIGUSR2 are passed on to the apps.
Exit codes: 0 all apps have ended well, or were ended by a signal and did so in time · 4 invalid file or usage, nothing
  was started · 5 refused (a port is taken), nothing was started · 7 an app has failed for good; the others were ended
  · 137 an app did not end in time and was killed · 130, 131 killed by a second SIGINT, SIGQUIT`

function addRunCommand(program: Command, done: Done): void {
  command(program, 'run', 'run the apps in the foreground, without a daemon: for containers and development')
    .argument('[file]', 'the file; found by walking up when not given')
    .argument('[apps...]', 'these apps only, and what they depend on')
    .addOption(environmentOption())
    .option('--no-prefix', 'print lines without the name of their instance')
    .option('--raw', 'print the bytes as they come, not gathered to lines')
    .option('--json', 'print each line as an object: time, app, instance, stream, message')
    .option('--keep-going', 'an app that fails for good does not end the others')
    .addHelpText('after', RUN_HELP)
    .action(async (file: string | undefined, apps: string[], options: RunCommandOptions) => {
      const { run: runApps } = await import('./commands/run.ts')
      done(await runApps(file === undefined ? [] : [file, ...apps], options))
    })
}

export interface RollbackOptions {
  readonly yes?: boolean
  readonly dryRun?: boolean
  readonly wait: boolean
  readonly allowEmpty?: boolean
  readonly json?: boolean
}

function addHistoryCommands(program: Command, done: Done): void {
  scoped(command(program, 'history', 'the revisions of a scope: what was applied when, by whom, from which commit'))
    .argument('[serial]', 'show this revision, with its changes to the one before it')
    .addOption(jsonOption())
    .action(async (serial: string | undefined, options: SelectOptions) => {
      const { history } = await import('./commands/history.ts')
      history(serial ?? null, selection([], options), options.json === true)
    })
  scoped(command(program, 'rollback', 'make the scope what it was at an older revision, and wait until it is'))
    .argument('[serial]', 'of the revision; the one before the current one when not given')
    .option('-y, --yes', 'do not ask')
    .option('--dry-run', 'show the plan only')
    .option('--no-wait', 'return once the rollback has begun')
    .option('--allow-empty', 'allow a rollback that removes every app')
    .addOption(jsonOption())
    .action(async (serial: string | undefined, options: SelectOptions & RollbackOptions) => {
      const { rollback } = await import('./commands/rollback.ts')
      done(await rollback(serial ?? null, selection([], options), options))
    })
}

function addViewCommands(program: Command, done: Done): void {
  selecting(command(program, 'ls', 'the apps and their instances').aliases(['list', 'status']))
    .addOption(jsonOption())
    .action(async (selectors: string[], options: SelectOptions) => {
      const { list } = await import('./list.ts')
      await list(selection(selectors, options), options.json === true)
    })
  selecting(command(program, 'describe', 'what an app does and why: instances, last exit, settings, runs, events'))
    .addOption(jsonOption())
    .action(async (selectors: string[], options: SelectOptions) => {
      const { describe } = await import('./commands/describe.ts')
      await describe(selection(selectors, options), options.json === true)
    })
  addLogs(program, done)
  selecting(command(program, 'events', 'what happened to apps and why: starts, exits, restarts, applies'))
    .option('-f, --follow', 'go on printing what happens, until Ctrl-C')
    .option('--since <when>', 'events after this: 10m (ago), or a time such as 2026-01-31T18:00:00')
    .option('--until <when>', 'events before this, given in the same way')
    .option('-n, --limit <count>', 'the latest ones; 100 when there is no --since, 10 with --follow', count)
    .addOption(jsonOption())
    .action(async (selectors: string[], options: SelectOptions & EventsOptions) => {
      const { events } = await import('./commands/events.ts')
      await events(selection(selectors, options), options)
    })
}

const LOGS_HELP = `
A line's time is the one it carries, within what eco noted while it was written. Lines that begin with ── are events
(eco events); they are no part of the app's file.
Exit codes: 0 done, also after Ctrl-C · 1 a log cannot be read · 4 usage · 5 unknown app`

function addLogs(program: Command, done: Done): void {
  const logs = selecting(command(program, 'logs', 'the latest log lines of apps, and what comes; with events between'))
  addLogCommands(logs, done)
  logs
    .option('-n, --lines <count>', "of each instance, or all; 20, with --previous 100, with --since 'all'")
    .option('-f, --follow', 'go on printing what is written, until Ctrl-C; this is the default')
    .option('--no-follow', 'print what there is')
    .option(
      '--since <when>',
      'lines after this: 10m (ago), 18:04, 2026-01-31, or a time such as 2026-01-31T18:00:00Z; local time without a zone',
    )
    .option('--until <when>', 'lines before this, given in the same way')
    .option('--around <event>', 'what was written about the time of an event (its number in eco events), or of a time')
    .option('--window <duration>', 'with --around: how long before and after it; 10s')
    .option('--previous', 'the run before the last start of each instance')
    .option('--grep <pattern>', 'lines that match a regular expression; /pattern/i for any case')
    .option('--invert', 'with --grep: lines that do not match')
    .option('--level <level>', 'lines of this level and above: trace, debug, info, warn, error, fatal')
    .option('--err', 'stderr only')
    .option('--out', 'stdout only')
    .option('--time', 'print the time of each line')
    .option('--no-markers', 'without the events between the lines')
    .option('--raw', 'bytes as they were written: no names, no events, nothing made harmless')
    .addOption(jsonOption())
    .addHelpText('after', LOGS_HELP)
    .action(async (selectors: string[], options: SelectOptions & LogsOptions) => {
      const { logs: show } = await import('./commands/logs.ts')
      done(await show(selection(selectors, options), options))
    })
}

function addLogCommands(logs: Command, done: Done): void {
  type Options = SelectOptions & { yes?: boolean }
  selecting(command(logs, 'rotate', 'move what is in the log files to archives'))
    .addOption(jsonOption())
    .action(async (selectors: string[], _: Options, self: Command) => {
      const options = self.optsWithGlobals<Options>()
      const { logsRotate } = await import('./commands/logs-rotate.ts')
      done(await logsRotate(selection(selectors, options), options.json === true))
    })
  selecting(command(logs, 'flush', 'empty the log files, and remove their archives'))
    .option('-y, --yes', 'do not ask')
    .addOption(jsonOption())
    .action(async (selectors: string[], _: Options, self: Command) => {
      const options = self.optsWithGlobals<Options>()
      const { logsFlush } = await import('./commands/logs-flush.ts')
      const how = { json: options.json === true, confirmed: options.yes === true }
      done(await logsFlush(selection(selectors, options), how))
    })
}

export interface EventsOptions {
  readonly follow?: boolean
  readonly since?: string
  readonly until?: string
  readonly limit?: number
  readonly json?: boolean
}

interface SelectOptions {
  readonly project?: string
  readonly env?: string
  readonly json?: boolean
}

const VERBS: readonly { readonly verb: Exclude<Verb, 'scale'>; readonly text: string }[] = [
  { verb: 'start', text: 'start apps that are stopped, held or failed' },
  { verb: 'stop', text: 'stop apps and hold them stopped until eco start, the next apply, or for a time' },
  { verb: 'restart', text: 'stop and start instances, one after the other; run a job or cron app now' },
  { verb: 'reload', text: 'replace instances without downtime' },
  { verb: 'delete', text: 'stop apps and forget them' },
]

function addVerbs(program: Command, done: Done): void {
  for (const { verb, text } of VERBS) {
    const sub = selecting(command(program, verb, text), true).addOption(jsonOption())
    if (verb === 'delete') sub.option('-y, --yes', 'do not ask')
    if (verb === 'stop') sub.addOption(forOption('started again'))
    sub.action(async (selectors: string[], options: SelectOptions & { yes?: boolean; for?: string }) => {
      const { runVerb } = await import('./commands/verb.ts')
      const confirmed = verb !== 'delete' || options.yes === true
      done(
        await runVerb(
          { ...selection(selectors, options), verb, instances: null, ...(await holdFor(options.for)) },
          { json: options.json === true, confirmed },
        ),
      )
    })
  }
  selecting(command(program, 'reset', 'forget the restarts of instances; those that gave up try again'), true)
    .addOption(jsonOption())
    .action(async (selectors: string[], options: SelectOptions) => {
      const { reset } = await import('./commands/reset.ts')
      await reset(selection(selectors, options), options.json === true)
    })
  scoped(command(program, 'scale', 'run this many instances of a service, held until the next apply, or for a time'))
    .argument('<app>', 'the app, or a selector of several')
    .argument('<instances>', '4; +2 or -1, of what is wanted now; 50% of the CPUs; max for one on each')
    .addOption(forOption('scaled back'))
    .addOption(jsonOption())
    .action(async (app: string, amount: string, options: SelectOptions & { for?: string }) => {
      const { parseScaleAmount } = await import('./scale-amount.ts')
      const { runVerb } = await import('./commands/verb.ts')
      const asked = { ...parseScaleAmount(amount), ...(await holdFor(options.for)) }
      const params = { ...selection([app], options), verb: 'scale', ...asked } as const
      done(await runVerb(params, { json: options.json === true, confirmed: true }))
    })
}

function forOption(then: string): Option {
  return new Option('--for <duration>', `only for so long (30m, 2h); then it is ${then} by itself`)
}

async function holdFor(text: string | undefined): Promise<{ forMs?: number }> {
  if (text === undefined) return {}
  const { parseHoldDuration } = await import('./hold-duration.ts')
  return { forMs: parseHoldDuration(text) }
}

const CHANGING: ReadonlySet<string> = new Set([
  'apply',
  'rollback',
  'scale',
  'reset',
  'logs rotate',
  'logs flush',
  'daemon start',
  'rollout pause',
  'rollout resume',
  'rollout abort',
  ...VERBS.map(({ verb }) => verb),
])

const ROLLOUT_ACTIONS: readonly { readonly action: RolloutAction; readonly text: string }[] = [
  { action: 'status', text: 'the rollouts under way' },
  { action: 'pause', text: 'start and stop no further instance until it is resumed' },
  { action: 'resume', text: 'go on; one that paused because it failed tries again' },
  { action: 'abort', text: 'bring the old version back, and wait until it serves' },
]

function addRolloutCommands(program: Command, done: Done): void {
  const rollout = command(program, 'rollout', 'look at rollouts under way, or take a hand in them')
  rollout.allowExcessArguments().action((_options, self: Command) => unknownCommand(self))
  for (const { action, text } of ROLLOUT_ACTIONS) {
    selecting(command(rollout, action, text), action !== 'status')
      .addOption(jsonOption())
      .action(async (selectors: string[], options: SelectOptions) => {
        const { rolloutCommand } = await import('./commands/rollout.ts')
        done(await rolloutCommand(action, selection(selectors, options), options.json === true))
      })
  }
}

function addDaemonCommands(program: Command, done: Done): void {
  const daemon = command(program, 'daemon', 'the process that keeps the apps alive; it starts by itself when needed')
  daemon.allowExcessArguments().action((_options, self: Command) => unknownCommand(self))
  command(daemon, 'start', 'start it; apps that should run and do not are started')
    .addOption(jsonOption())
    .action(async (options: { json?: boolean }) => {
      const { startCommand } = await import('./commands/daemon.ts')
      await startCommand(options.json === true)
    })
  command(daemon, 'stop', 'end it; the apps go on and the next daemon takes them over')
    .option('--apps', 'stop the apps first')
    .addOption(jsonOption())
    .action(async (options: { apps?: boolean; json?: boolean }) => {
      const { stopCommand } = await import('./commands/daemon.ts')
      await stopCommand(options.apps === true, options.json === true)
    })
  command(daemon, 'upgrade', 'hand the apps over to the daemon of this eco; none of them notices')
    .addOption(jsonOption())
    .action(async (options: { json?: boolean }) => {
      const { upgradeCommand } = await import('./commands/upgrade.ts')
      await upgradeCommand(options.json === true)
    })
  command(daemon, 'status', 'whether it runs')
    .addOption(jsonOption())
    .action(async (options: { json?: boolean }) => {
      const { statusCommand } = await import('./commands/daemon.ts')
      done(await statusCommand(options.json === true))
    })
  command(daemon, 'logs', "the end of the daemon's own log")
    .option('-n, --lines <count>', 'how many lines', count, 50)
    .action(async (options: { lines: number }) => {
      const { logsCommand } = await import('./commands/daemon.ts')
      logsCommand(options.lines)
    })
}

function addDoctor(program: Command, done: Done): void {
  command(program, 'doctor', 'look for what is wrong here, and say what to do about it; nothing is changed')
    .option('--verbose', 'show what is well, too')
    .option('--fix', 'close files of ECO_HOME that are open to others, and remove what writes left that were cut short')
    .addOption(jsonOption())
    .addHelpText('after', '\nExit codes: 0 nothing is an error · 7 something is: a person is needed')
    .action(async (options: DoctorOptions) => {
      const { doctor } = await import('./commands/doctor.ts')
      done(await doctor(options))
    })
}

function addBootCommands(program: Command, done: Done): void {
  const boot = (name: string, text: string): Command =>
    command(program, name, text)
      .option('--user', 'a service of your own, without root: by your systemd, from boot on')
      .option('--for-user <name>', 'as root: for the daemon and the apps of this user')
      .addOption(jsonOption())
  boot('startup', 'have the daemon, and with it the apps, started at boot')
    .option('--name <service>', 'eco, or eco-USER for other users than root')
    .option('--print', 'print the service file only; nothing is changed')
    .action(async (options: StartupOptions) => {
      const { startup } = await import('./commands/startup.ts')
      done(await startup(options))
    })
  boot('unstartup', 'undo eco startup; the apps go on').action(async (options: StartupOptions) => {
    const { unstartup } = await import('./commands/startup.ts')
    done(await unstartup(options))
  })
}

function command(parent: Command, name: string, description: string): Command {
  return parent.command(name).description(description).exitOverride()
}

function selecting(command: Command, required = false): Command {
  const argument = required ? '<selector...>' : '[selector...]'
  return scoped(command.argument(argument, 'api, api#1, worker*, /regex/ or all'))
}

function scoped(command: Command): Command {
  return command
    .option('--project <name>', 'only apps of this project')
    .option('--env <name>', 'only apps of this environment')
}

function environmentOption(): Option {
  return new Option('--env <name>', "an environment of the file; 'default' when not given")
}

function jsonOption(): Option {
  return new Option('--json', 'print JSON')
}

function selection(selectors: readonly string[], options: SelectOptions): Selection {
  return { selectors, project: options.project ?? null, environment: options.env ?? null }
}

function count(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

/** `eco daemon`: a command with those it is under. */
function pathOf(program: Command): string {
  return program.parent ? `${pathOf(program.parent)} ${program.name()}` : program.name()
}
