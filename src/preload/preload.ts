/**
 * Loaded by `node --require` into supervised Node.js services, and other Node.js apps that declare `listen`, or that say
 * when they are ready. No dependencies, no output, nothing that an app could notice; built to one CommonJS file, Node 18
 * and up.
 */

import { existsSync } from 'node:fs'
import type { Server } from 'node:net'
import { type Adopt, adoptAtOnce, adoption } from './adopt.ts'
import { type Commands, openControl } from './control.ts'
import { Drain } from './drain.ts'
import { Hold } from './hold.ts'
import { type Listen, routeListen } from './listen.ts'
import { forwardReady } from './ready-signal.ts'
import { Servers } from './servers.ts'
import { listenForStop } from './stop-message.ts'

serve(process.env['ECO_LISTEN'], process.env['ECO_PROBE_DIR'], process.env['ECO_HOLD'] === '1')
forwardReady(process.env['ECO_READY_FD'])
listenForStop(process.env['ECO_STOP_MESSAGE'])

/**
 * @param folder of its instance, for the sockets by which eco reaches this process
 * @param holds servers on declared addresses accept nothing before eco says so
 */
function serve(declared: string | undefined, folder: string | undefined, holds: boolean): void {
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
  }
  const noticed = (listen: Listen) => {
    // With the first server: most processes of an instance have none.
    if (folder && control === undefined) control = openControl(folder, listen, commands)
  }
  const adopt: Adopt = (call, fd, listen) => {
    // Opened already as an instance, before this process had a socket to be told by.
    if (isOpen || !control || existsSync(`${folder}/open`)) adoptAtOnce(call, fd, listen)
    else hold.adopt(call, fd, listen)
  }
  const adopting = adoption(declared, folder, adopt)
  if (adopting === null && !folder) return
  routeListen(
    (server, listen) => {
      noticed(listen)
      if (control) servers.notice(server)
    },
    adopting === null ? [] : [adopting],
  )
}
