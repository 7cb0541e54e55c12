/** Prints all measurements of a run as one table. */

const HEAD = ['scenario', 'measurement', 'median', 'min–max', 'n', 'target', '', 'note']

/** @param {{ name: string, rows: object[] }[]} scenarios */
export function renderTable(scenarios) {
  const lines = scenarios.flatMap(({ name, rows }) => rows.map((row, index) => [index ? '' : name, ...cells(row)]))
  const widths = HEAD.map((head, column) => Math.max(head.length, ...lines.map((line) => line[column].length)))
  const print = (line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd()
  return [
    print(HEAD),
    widths
      .map((width) => '─'.repeat(width))
      .join('  ')
      .trimEnd(),
    ...lines.map(print),
  ].join('\n')
}

function cells(row) {
  if (row.skipped) return [row.label, 'SKIPPED', '', '', '', '', row.skipped]
  const { label, unit, median, min, max, samples, target, verdict, note } = row
  const range = samples.length > 1 ? `${figure(min, unit)}–${figure(max, unit)}` : ''
  return [label, `${figure(median, unit)} ${unit}`, range, String(samples.length), target ?? '', verdict ?? '', note]
}

function figure(value, unit) {
  if (unit === 'x') return value.toFixed(2)
  if (unit === 'apps' || unit === 'failed' || unit === 'lines') return String(value)
  return Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2)
}
