/** The stop message arrives as process.on('message') when the daemon sends SIGIO, again without a channel. */
export function listenForStop(message: string | undefined): void {
  if (message === undefined) return
  // Not before the app listens: whoever asks it to stop sees by that whether a message would be heard.
  process.on('newListener', function arm(event: string | symbol): void {
    if (event !== 'message') return
    process.off('newListener', arm)
    process.on('SIGIO', () => process.emit('message', JSON.parse(message), undefined))
  })
}
