/**
 * The order of two versions as semver has it: negative when the first is older. A pre-release comes before its release;
 * what is no version counts as the same as anything.
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parse(a), parse(b)]
  if (left === null || right === null) return 0
  for (const [i, number] of left.numbers.entries()) {
    const difference = number - (right.numbers[i] ?? 0)
    if (difference !== 0) return difference
  }
  return comparePreReleases(left.pre, right.pre)
}

interface Version {
  readonly numbers: readonly number[]
  readonly pre: readonly string[]
}

function parse(text: string): Version | null {
  const match = /^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?$/.exec(text)
  if (!match) return null
  return { numbers: match.slice(1, 4).map(Number), pre: match[4]?.split('.') ?? [] }
}

function comparePreReleases(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length
  for (const [i, left] of a.entries()) {
    const right = b[i]
    if (right === undefined) return 1
    if (left === right) continue
    const [isNumber, isOther] = [/^\d+$/.test(left), /^\d+$/.test(right)]
    if (isNumber && isOther) return Number(left) - Number(right)
    if (isNumber !== isOther) return isNumber ? -1 : 1
    return left < right ? -1 : 1
  }
  return a.length - b.length
}
