/** Questions that only a working app answers. One connection each, no second try: ready means ready. */

import net from 'node:net'

/** Sends `question` (null: the server speaks first), and waits for the answer: what it begins with, or a pattern. */
export function converse(port: number, question: string | Buffer | null, answer: RegExp | string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: '127.0.0.1', port, timeout: 5000 })
    let text = ''
    socket.on('connect', () => question !== null && socket.write(question))
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (!(typeof answer === 'string' ? text.startsWith(answer) : answer.test(text))) return
      socket.destroy()
      resolve(text)
    })
    const fail = (why: string): void => {
      socket.destroy()
      reject(new Error(`127.0.0.1:${port}: ${why}; it said ${JSON.stringify(text)}, not ${String(answer)}`))
    }
    socket.on('timeout', () => fail('no answer within 5s'))
    socket.on('close', () => fail('closed'))
    socket.on('error', (error) => fail(error.message))
  })
}

/** Whether anybody accepts connections. */
export function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port })
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
