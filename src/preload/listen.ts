import net from 'node:net'
import { type AnyFunction, type AnyServer, internals, type ListenOptions } from './node-internals.ts'

/** One call of listen, its arguments told apart. */
export interface ListenCall {
  readonly server: AnyServer
  readonly options: ListenOptions
  /** How many connections may wait, where the app says it. */
  readonly backlog: number | undefined
  readonly callback: AnyFunction | null
  /** As they were given. */
  readonly args: readonly unknown[]
}

/** Node's own, for eco's own servers and for what is routed elsewhere. */
export type Listen = AnyFunction

/** Makes a server listen in a way of its own; false: that call is not its business, the next one may look. */
export type Route = (call: ListenCall, listen: Listen) => boolean

/**
 * Every server ends in net.Server.prototype.listen: those of http, https, http2, express, fastify, koa and next too.
 *
 * @param noticed called before anything else with every call
 */
export function routeListen(noticed: (call: ListenCall, listen: Listen) => void, routes: readonly Route[]): void {
  const prototype = net.Server.prototype as unknown as { listen: Listen }
  const listen = prototype.listen
  prototype.listen = function (this: unknown, ...args: unknown[]) {
    const server = this as AnyServer
    const [options, callback] = internals._normalizeArgs(args)
    const call = { server, options, backlog: backlogOf(options, args), callback, args }
    noticed(call, listen)
    return routes.some((route) => route(call, listen)) ? this : listen.apply(this, args)
  }
}

/** It may stand after the port or path, and after the host. */
function backlogOf(options: ListenOptions, [, second, third]: readonly unknown[]): number | undefined {
  return [second, third, options.backlog].find((it): it is number => typeof it === 'number' && it > 0)
}
