import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { atLeast, LEVELS, levelOfNumber, levelOfWord } from '../../../src/logs/line/level.ts'
import { parseLine, type Level } from '../../../src/logs/line/parse-line.ts'

// Times without a zone are local ones.
process.env['TZ'] = 'Europe/Berlin'
const NOW = Date.parse('2026-02-10T12:00:00Z')

const BERLIN = '2026-01-31T17:04:05.123Z'
const UTC = '2026-01-31T18:04:05.123Z'
const S = (time: string): string => time.replace('.123', '.000')

const lines: readonly (readonly [text: string, at: string | null, level: Level | null])[] = [
  // ISO 8601 and its relatives
  ['2026-01-31T18:04:05.123Z INFO  shop: hello', UTC, 'info'],
  ['2026-01-31T18:04:05.123456789Z hello', UTC, null],
  ['2026-01-31T18:04:05.123+01:00  WARN 1234 --- [main] c.e.Shop : hello', BERLIN, 'warn'],
  ['2026-01-31T18:04:05.123+0100\tINFO\tzap', BERLIN, 'info'],
  ['2026-01-31 18:04:05 +0100 hello', S(BERLIN), null],
  ['2026-01-31T18:04:05.123 hello', BERLIN, null],
  ['2026-01-31 18:04 hello', '2026-01-31T17:04:00.000Z', null],
  ['[2026-01-31T18:04:05.123] [WARN] cheese - log4js', BERLIN, 'warn'],
  ['\u001b[33m[2026-01-31T18:04:05.123] [WARN] cheese - \u001b[39mlog4js', BERLIN, 'warn'],
  ['[2026-01-31T18:04:05.123Z WARN  shop] env_logger', UTC, 'warn'],
  ['[2026-01-31T18:04:05.123456+00:00] app.ERROR: monolog {"a":1} []', UTC, 'error'],
  ['2026-01-31T18:04:05.123Z [app] warn: printf', UTC, 'warn'],
  ['2026-01-31T18:04:05.123Z http dbg', UTC, null],
  ['2026-01-31T18:04:05.123Z\terror\tzap\t{"a":1}', UTC, 'error'],
  ['WARN 2026-01-31T18:04:05.123Z later', UTC, 'warn'],
  ['web  | 2026-01-31T18:04:05.123Z ERROR compose', UTC, 'error'],
  // Python
  ['2026-01-31 18:04:05,123 WARNING app.db disk low', BERLIN, 'warn'],
  ['2026-01-31 18:04:05,123 - app.db - CRITICAL - disk full', BERLIN, 'fatal'],
  ['2026-01-31 18:04:05,123 app.db ERROR disk full', BERLIN, 'error'],
  ['[2026-01-31 18:04:05 +0100] [12] [INFO] Listening at: http://[::]:80', S(BERLIN), 'info'],
  ['2026-01-31 18:04:05.123 | SUCCESS  | __main__:<module>:2 - loguru', BERLIN, 'info'],
  ['2026-01-31 18:04:05 [warning  ] structlog    a=1', S(BERLIN), 'warn'],
  ['WARNING:app.db:disk low', null, 'warn'],
  ['INFO:     127.0.0.1:5000 - "GET / HTTP/1.1" 200 OK', null, 'info'],
  // Ruby, PHP, Go, Rust, Java, .NET
  ['W, [2026-01-31T18:04:05.123456 #12]  WARN -- shop: hello', BERLIN, 'warn'],
  ['[31-Jan-2026 18:04:05] NOTICE: fpm is running', S(BERLIN), 'info'],
  ['[31-Jan-2026 18:04:05 UTC] PHP Warning:  Undefined variable', S(UTC), 'warn'],
  ['[31-Jan-2026 18:04:05 UTC] PHP Fatal error:  Uncaught Error', S(UTC), 'error'],
  ['2026/01/31 18:04:05 http: TLS handshake error from 192.0.2.1', S(BERLIN), null],
  ['time=2026-01-31T18:04:05.123+01:00 level=WARN msg="no error" n=1', BERLIN, 'warn'],
  ['level=info ts=2026-01-31T18:04:05.123Z caller=main.go:1', UTC, 'info'],
  ['left=3 event="disk low: level=error" level=warning timestamp=1769882645.123', UTC, 'warn'],
  ['at=error code=H12 desc="Request timeout"', null, 'error'],
  ['6:04PM INF zerolog', null, 'info'],
  ['18:04:05.123 [main] ERROR com.Shop - logback', null, 'error'],
  ['fail: Microsoft.Hosting.Lifetime[14]', null, 'error'],
  // Servers
  ['192.0.2.1 - - [31/Jan/2026:18:04:05 +0100] "GET /error HTTP/1.1" 500 12 "-" "curl"', S(BERLIN), null],
  ['::1 - ann [31/Jan/2026:18:04:05 +0000] "GET / HTTP/1.1" 200 -', S(UTC), null],
  ['2026/01/31 18:04:05 [error] 12#0: *1 open() failed', S(BERLIN), 'error'],
  ['[Sat Jan 31 18:04:05.123456 2026] [core:error] [pid 1] AH00126: x', BERLIN, 'error'],
  ['2026-01-31 18:04:05.123 UTC [12] LOG:  checkpoint', UTC, 'info'],
  ['2026-01-31 18:04:05.123 UTC [12] ann@shop FATAL:  no such role', UTC, 'fatal'],
  ['12:M 31 Jan 2026 18:04:05.123 # redis', BERLIN, 'warn'],
  ['Jan 31 18:04:05 web-1 shop[12]: ERROR: syslog', S(BERLIN), 'error'],
  ['Jan  3 18:04:05 web-1 shop[12]: hello', '2026-01-03T17:04:05.000Z', null],
  ['Dec 31 18:04:05 web-1 of the year before', '2025-12-31T17:04:05.000Z', null],
  ['<134>1 2026-01-31T18:04:05.123Z web-1 shop - - hi', UTC, 'info'],
  ['<3>sd-daemon', null, 'error'],
  ['E0131 18:04:05.123456   12345 file.go:12] klog', BERLIN, 'error'],
  ['I1231 18:04:05.123456   12345 file.go:12] klog', '2025-12-31T17:04:05.123Z', 'info'],
  ['[Nest] 12  - 01/31/2026, 6:04:05 PM     LOG [Factory] hello', S(BERLIN), 'info'],
  ['31.01.2026 18:04:05 ERROR hallo', S(BERLIN), 'error'],
  ['Sat, 31 Jan 2026 18:04:05 GMT express deprecated x', S(UTC), null],
  ['1769882645 hello', S(UTC), null],
  ['1769882645.123 INFO hello', UTC, 'info'],
  ['1769882645123 hello', UTC, null],
  // Times that are none
  ['2099-01-31T18:04:05Z INFO the future', null, 'info'],
  ['1970-01-01T00:00:05Z a clock that was never set', null, null],
  ['2026-13-31 18:04:05 ERROR no such month', null, 'error'],
  ['2026-01-31 25:04:05 ERROR no such hour', null, 'error'],
  ['02/03/2026 18:04:05 February or March', null, null],
  ['13/01/2026 18:04:05 January', '2026-01-13T17:04:05.000Z', null],
  ['1234567890 items', null, null],
  ['user created at 2026-01-31T18:04:05Z', null, null],
  // Levels
  ['[ERROR] boom', null, 'error'],
  ['ERROR: boom', null, 'error'],
  ['ERROR', null, 'error'],
  ['error: boom {"id":5}', null, 'error'],
  ['\u001b[33mwarn\u001b[39m:    winston cli', null, 'warn'],
  ['Warning: careful', null, 'warn'],
  ['warn - next.js', null, 'warn'],
  ['✖  error     signale', null, 'error'],
  ['⚠  warning  signale', null, 'warn'],
  [' ERROR  vite', null, 'error'],
  ['npm error code ELIFECYCLE', null, 'error'],
  ['panic: runtime error: index out of range', null, 'fatal'],
  ["thread 'main' panicked at src/main.rs:2:5:", null, 'error'],
  ['Exception in thread "main" java.lang.IllegalStateException', null, 'error'],
  ['TypeError [ERR_INVALID_ARG_TYPE]: x', null, 'error'],
  ['Error: no room', null, 'error'],
  ['ZeroDivisionError: division by zero', null, 'error'],
  ['Traceback (most recent call last):', null, 'error'],
  ['(node:12) [DEP0040] DeprecationWarning: punycode', null, 'warn'],
  // Words that are no levels
  ['An error occurred', null, null],
  ['error while connecting', null, null],
  ['Connection ERROR occurred', null, null],
  ['2026-01-31T18:04:05.123Z request failed with an ERROR', UTC, null],
  ['info we have no errors', null, null],
  ['http: Server closed', null, null],
  ['Log in to continue', null, null],
  ['DEBUG=* node shop.js', null, null],
  ['ERROR_CODE is 5', null, null],
  ['Failure is not an option', null, null],
  ['GET /error 500 12 - 3.1 ms', null, null],
  ['data: {"error":1}', null, null],
  ['    at Error: (file.js:1:1)', null, null],
  ['\tERROR of a continuation', null, null],
  ['', null, null],
  // JSON
  ['{"level":50,"time":1769882645123,"msg":"pino"}', UTC, 'error'],
  ['{"level":20,"time":"2026-01-31T18:04:05.123Z","msg":"bunyan","v":0}  ', UTC, 'debug'],
  ['{"level":60,"time":"2026-01-31T18:04:05.123Z","msg":"windows"}\r', UTC, 'fatal'],
  ['{"level":"silly","message":"winston"}', null, 'trace'],
  ['{"level":"crit","message":"winston","timestamp":"2026-01-31T18:04:05.123Z"}', UTC, 'fatal'],
  ['{"level":"dpanic","ts":1769882645.123,"msg":"zap"}', UTC, 'fatal'],
  ['{"time":"2026-01-31T18:04:05.123+01:00","level":"DEBUG-4","msg":"slog"}', BERLIN, 'trace'],
  ['{"@timestamp":"2026-01-31T18:04:05.123Z","log":{"level":"WARN"},"message":"ecs"}', UTC, 'warn'],
  ['{"asctime":"2026-01-31 18:04:05,123","levelname":"CRITICAL","message":"python"}', BERLIN, 'fatal'],
  ['{"instant":{"epochSecond":1769882645,"nanoOfSecond":123000000},"level":"TRACE","message":"log4j"}', UTC, 'trace'],
  ['{"time":1769882645123456789,"msg":"nanoseconds"}', UTC, null],
  ['{"level":30,"time":5,"msg":"no such time"}', null, 'info'],
  ['{"level":"loud","time":"later"}', null, null],
  ['{"level":{"a":1},"time":{"b":2},"timestamp":null}', null, null],
  ['{"time":"2026-01-31T18:04:05.123Z","stream":"stderr","log":"ERROR docker\\n"}', UTC, 'error'],
  [
    '{"time":"2026-01-31T18:04:05.123Z","app":"api","instance":"api#0","stream":"out","message":"{\\"level\\":40}"}',
    UTC,
    'warn',
  ],
  // What `format: time` puts before the line of any app
  ['2026-01-31T18:04:05.123Z {"level":50,"time":5,"msg":"pino"}', UTC, 'error'],
  ['2026-01-31T18:04:05.123Z TypeError [ERR_INVALID_ARG_TYPE]: x', UTC, 'error'],
  ['2026-01-31T18:04:05.123Z     at Error: (file.js:1:1)', UTC, null],
  ['{"level":50', null, null],
  ['{} ERROR: no object', null, null],
]

describe('parseLine', () => {
  test.each(lines)('%s', (text, at, level) => {
    const parsed = parseLine(text, NOW)
    expect({ at: parsed.at === null ? null : new Date(parsed.at).toISOString(), level: parsed.level }).toEqual({
      at,
      level,
    })
  })

  test('gives the object of a JSON line, and nothing of one that is too long for that', () => {
    expect(parseLine('{"level":50,"a":{"b":[1]}}').json).toEqual({ level: 50, a: { b: [1] } })
    const long = `{"level":50,"a":"${'x'.repeat(256 * 1024)}"}`
    expect(parseLine(long)).toEqual({ at: null, level: null, json: null, message: long })
    expect(parseLine('[{"level":50}]').json).toBeNull()
  })

  test.each([
    ['hello', 'hello'],
    ['{"level":40,"msg":"a"}', '{"level":40,"msg":"a"}'],
    ['2026-01-31T18:04:05.123Z hello', 'hello'],
    ['2026-01-31T18:04:05.123Z     at a.js:1', '    at a.js:1'],
    ['2026-01-31T18:04:05.123Z ', ''],
    ['2026-01-31 18:04:05.123 hello', '2026-01-31 18:04:05.123 hello'],
    ['{"time":"2026-01-31T18:04:05.123Z","app":"a","instance":"a#0","stream":"stdout","message":"  at"}', '  at'],
  ])('knows what the app wrote of %j', (text, message) => {
    expect(parseLine(text, NOW).message).toBe(message)
  })

  test('looks at the beginning of a long line only', () => {
    expect(parseLine(`${'| '.repeat(2000)}ERROR: far away`).level).toBeNull()
  })

  test('never throws, whatever the line', () => {
    const pieces = lines.flatMap(([text]) => text.split(/(?<=[^\w])/))
    const line = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((parts) => parts.join('')),
      fc.json(),
    )
    fc.assert(
      fc.property(line, (text) => {
        const { at, level } = parseLine(text, NOW)
        expect(at === null || (at > 0 && at < NOW + 2 * 86_400_000)).toBe(true)
        expect(level === null || LEVELS.includes(level)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  const hostile = ['[', '(', '{', '"', 'a="', 'a.', 'A-', ' x', '\u001b[', '1', '1:', '| ', '\r', '<1>', '{"a":', '.-']
  test.each(hostile)('is done with a megabyte of %j at once', (piece) => {
    const text = piece.repeat(1_000_000 / piece.length)
    const started = process.hrtime.bigint()
    for (const line of [text, `2026-01-31 18:04:05 ${text}`, `{${text}}`]) parseLine(line)
    expect(Number(process.hrtime.bigint() - started) / 1e6).toBeLessThan(2000)
  })
})

describe('levels', () => {
  test('are ordered', () => {
    expect(LEVELS.filter((level) => atLeast(level, 'warn'))).toEqual(['warn', 'error', 'fatal'])
  })

  test.each([
    [0, 'fatal'],
    [3, 'error'],
    [7, 'debug'],
    [10, 'trace'],
    [35, 'info'],
    [60, 'fatal'],
    [65, 'fatal'],
    [8, null],
    [1000, null],
    [Number.NaN, null],
  ])('of the number %s is %s', (number, level) => {
    expect(levelOfNumber(number)).toBe(level)
  })

  test('of words no logger writes are none', () => {
    expect(['', 'erro', 'constructor', '__proto__', 'x'.repeat(1000), 'info+', 'INFO-x'].map(levelOfWord)).toEqual(
      Array(7).fill(null),
    )
  })
})
