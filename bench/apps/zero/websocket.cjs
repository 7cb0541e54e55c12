/** The server's side of a WebSocket, by hand: short masked frames are echoed as they came, a close frame closes. */
const { createHash } = require('node:crypto')

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

exports.upgrade = function upgrade(request, socket, head) {
  const accept = createHash('sha1')
    .update(request.headers['sec-websocket-key'] + GUID)
    .digest('base64')
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  )
  let received = head
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    for (let frame = take(); frame; frame = take()) {
      if (frame.opcode === 8) return socket.end(Buffer.from([0x88, 0]))
      socket.write(Buffer.concat([Buffer.from([0x80 | frame.opcode, frame.text.length]), frame.text]))
    }
  })
  socket.on('error', () => {})

  function take() {
    if (received.length < 6) return null
    const length = received[1] & 0x7f
    if (length > 125 || received.length < 6 + length) return null
    const mask = received.subarray(2, 6)
    const text = Buffer.from(received.subarray(6, 6 + length).map((byte, index) => byte ^ mask[index % 4]))
    const opcode = received[0] & 0x0f
    received = received.subarray(6 + length)
    return { opcode, text }
  }
}
