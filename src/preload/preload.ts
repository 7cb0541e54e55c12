/**
 * Loaded by `node --require` into supervised Node.js services, and other Node.js apps that declare `listen`, or that say
 * when they are ready. No dependencies, no output, nothing that an app could notice; built to one CommonJS file, Node 18
 * and up.
 */

import { existsSync } from 'node:fs'
import type { Server } from 'node:net'
import { type Adopt, adoptAtOnce, adoption, openDoor } from './adopt.ts'
import { type Channel, takeChannel } from './channel.ts'
import { type Commands, openControl } from './control.ts'
import { Drain } from './drain.ts'
import { outliveFullDisk } from './full-disk.ts'
import { giveSockets, type PipeClass } from './give.ts'
import { Hold } from './hold.ts'
import { type Listen, type ListenCall, routeListen } from './listen.ts'
import { forwardReady } from './ready-signal.ts'
import type { AnyServer } from './node-internals.ts'
import { Servers } from './servers.ts'
import { undeclaredPorts } from './undeclared.ts'
import { listenForStop } from './stop-message.ts'

const { ECO_LISTEN, ECO_PROBE_DIR, ECO_HOLD } = process.env
serve({
  declared: ECO_LISTEN,
  folder: ECO_PROBE_DIR,
  holds: ECO_HOLD === '1',
  channel: takeChannel(),
})
outliveFullDisk(process.env['ECO_OUTPUT'])
forwardReady(process.env['ECO_READY_FD'])
listenForStop(process.env['ECO_STOP_MESSAGE'])

interface Serving {
  readonly declared: string | undefined
  /** Of its instance, for the sockets by which eco reaches this process. */
  readonly folder: string | undefined
  /** Servers on addresses that are shared accept nothing before eco says so. */
  readonly holds: boolean
  readonly channel: Channel | null
}

function serve({ declared, folder, holds, channel }: Serving): void {
  const servers = new Servers()
  const drain = new Drain(servers)
  const hold = new Hold({ ref: () => control?.ref(), unref: () => control?.unref() })
  /** null: it cannot have one. */
  let control: Server | null | undefined
  let isOpen = !holds

  const commands: Commands = {
    open: ({ tell }) => {
      isOpen = true
      const failure = hold.open()
      tell(failure === null ? 'ok' : `failed ${failure}`)
    },
    drain: ({ tell, onEnd }, signals) => {
      onEnd(() => drain.forget(tell))
      drain.begin(tell, signals)
    },
    release: () => drain.release(),
    give: ({ tell }, [path]) => {
      const Pipe = (control as AnyServer | null)?._handle?.constructor
      if (path !== undefined && Pipe) giveSockets(path, Pipe as PipeClass, servers.sockets, (n) => tell(`gave ${n}`))
    },
  }
  const noticed = (listen: Listen) => {
    // With the first server: most processes of an instance have none.
    if (folder && control === undefined) control = openControl(folder, listen, commands)
  }
  const adopt: Adopt = (call, socket, listen) => {
    // Opened already as an instance, before this process had a socket to be told by.
    if (isOpen || !control || existsSync(`${folder}/open`)) adoptAtOnce(call, socket, listen)
    else hold.adopt(call, socket, listen)
  }
  const adopted = (server: AnyServer, index: number, listen: Listen): void => {
    if (folder) openDoor(server, `${folder}/${index}`, listen)
  }
  const adopting = adoption(declared, folder, adopt)
  const asking = channel && undeclaredPorts({ channel, adopt, adopted })
  const routes = [adopting, asking].filter((route) => route !== null)
  if (routes.length === 0 && !folder) return
  routeListen((call, listen) => {
    if (isOwnPipe(call, declared)) return
    noticed(listen)
    if (control) servers.notice(call.server)
  }, routes)
}

/**
 * How processes of an app speak with each other (tsx with the program it runs, say): no client waits there, and as long as
 * both live it stays open.
 */
function isOwnPipe({ server, options: { path } }: ListenCall, declared = ''): boolean {
  if (typeof path !== 'string' || 'closeIdleConnections' in server || 'updateSettings' in server) return false
  return !declared.split(';').some((entry) => entry.endsWith(`=unix:${path}`))
}
