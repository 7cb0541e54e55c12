/** Reads one HTTP/1.1 answer as it arrives. Only what the apps of the bench send: a Content-Length, no chunks. */

const LENGTH = /\r\ncontent-length: *(\d+)/i
const CLOSE = /\r\nconnection: *close/i

/**
 * @param {string} text all that has arrived for this answer, as latin1
 * @returns {null | { status: number, close: boolean, body: string, rest: string } | { malformed: string }} null: not all
 *   of it is there yet
 */
export function readAnswer(text) {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return text.length > 65_536 ? { malformed: 'a head without an end' } : null
  const head = text.slice(0, end)
  const status = Number(head.slice(9, 12))
  if (!head.startsWith('HTTP/1.') || !(status >= 200)) return { malformed: head.slice(0, 80) }
  const length = LENGTH.exec(head)
  if (!length) return { malformed: 'no Content-Length' }
  const last = end + 4 + Number(length[1])
  if (text.length < last) return null
  // HTTP/1.0 closes unless it says otherwise.
  const close = CLOSE.test(head) || head.startsWith('HTTP/1.0')
  return { status, close, body: text.slice(end + 4, last), rest: text.slice(last) }
}
