import { closeSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Output } from '../model/spec.ts'
import type { Destination, OpenedOutput, Outputs } from '../supervisor/outputs.ts'
import { Capture } from './capture.ts'
import type { LineStyle } from './contract.ts'
import type { Fifos } from './fifos.ts'
import { jsonLines, type Source } from '../logs/line-format.ts'
import { LineAssembler } from '../logs/lines.ts'
import { colorOf, prefixOf } from '../logs/prefix.ts'
import { plainLines } from './line-format.ts'
import type { Outlet } from './outlet.ts'
import { RecentLog } from './recent-log.ts'

export interface Printing {
  readonly style: LineStyle
  readonly color: { readonly out: boolean; readonly err: boolean }
  /** Of the longest name. */
  readonly width: number
  readonly apps: readonly string[]
}

/** The outputs of all instances: each a pipe to us, and from here to our own stdout and stderr. */
export class Captures implements Outputs {
  readonly blocked = {}
  readonly #fifos: Fifos
  readonly #outlets: { readonly out: Outlet; readonly err: Outlet }
  /** By log file: of two runs in one slot each has its own. */
  readonly #open = new Map<string, Set<Capture>>()
  #printing: Printing = { style: 'plain', color: { out: false, err: false }, width: 0, apps: [] }

  constructor(fifos: Fifos, outlets: { readonly out: Outlet; readonly err: Outlet }) {
    this.#fifos = fifos
    this.#outlets = outlets
  }

  /** Before the first app is started. */
  printAs(printing: Printing): void {
    this.#printing = printing
  }

  open(source: Destination): OpenedOutput {
    const { path: log } = source
    const { reader, writer } = this.#fifos.open()
    try {
      mkdirSync(dirname(log), { recursive: true, mode: 0o700 })
      this.#begin(log, source, reader)
    } catch (error) {
      closeSync(writer)
      throw error
    }
    return { fd: writer, note: null }
  }

  settle(log: string): void {
    for (const capture of this.#open.get(log) ?? []) capture.settle()
  }

  /** Each output ends in its pipe by itself. */
  over(): null {
    return null
  }

  /** What an app writes is shown here, whatever file it goes to under a daemon; but not what nobody is to see. */
  inForce({ out, err }: Output): Output {
    const own = <T extends string>(target: T): T | 'default' => (target.startsWith('/') ? 'default' : target)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a word stays one
    return { out: own(out) as Output['out'], err: own(err) as Output['err'], format: 'plain' }
  }

  /** Everything has ended: what is still in the pipes is printed, whoever holds their other ends. */
  finish(): void {
    for (const captures of this.#open.values()) for (const capture of captures) capture.finish()
  }

  #begin(log: string, source: Source, reader: number): void {
    const captures = this.#open.get(log) ?? new Set<Capture>()
    const { style } = this.#printing
    const capture = new Capture({
      reader,
      outlet: source.stream === 'stdout' || style === 'json' ? this.#outlets.out : this.#outlets.err,
      recent: new RecentLog(log),
      lines: style === 'raw' ? null : new LineAssembler(),
      format: this.#formatOf(source),
      closed: () => {
        captures.delete(capture)
        if (captures.size === 0) this.#open.delete(log)
      },
    })
    captures.add(capture)
    this.#open.set(log, captures)
  }

  #formatOf(source: Source): (lines: readonly Buffer[]) => Buffer {
    const { style, color, width, apps } = this.#printing
    if (style === 'json') return (lines) => jsonLines(lines, source, Date.now())
    if (style !== 'prefix') return (lines) => plainLines(lines)
    const isColored = source.stream === 'stdout' ? color.out : color.err
    const prefix = prefixOf(source.instance, width, isColored ? colorOf(source.app, apps) : null)
    return (lines) => plainLines(lines, prefix)
  }
}
