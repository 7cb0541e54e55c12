import net from 'node:net'

// Below the range from which the kernel gives ports to outgoing connections, so that nobody takes one meanwhile.
const FIRST = 20_000
const LAST = 32_000

const handedOut = new Set<number>()

/** A port of 127.0.0.1 and of :: that nobody listens on. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST))
    if (!handedOut.has(port) && (await isFree(port))) {
      handedOut.add(port)
      return port
    }
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', () => resolve(false))
    server.listen(port, () => server.close(() => resolve(true)))
  })
}
