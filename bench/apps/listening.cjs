/** A small Node server as users write it: a port, and the word that it is ready. */
const server = require('node:http').createServer((_, response) => response.end('ok'))
server.listen(Number(process.env.PORT), '127.0.0.1', () => process.send?.('ready'))
