/** Contestants take turns within each round, so that a slow minute of the machine hits all of them alike. */

/**
 * @param {number} count counted rounds; one more goes first and is not counted, unless `warmUp` is 0
 * @param {Record<string, (round: number) => Promise<number>>} contestants each returns its figure
 * @returns {Promise<Record<string, number[]>>} by contestant, one figure a round
 */
export async function takeTurns(count, contestants, { warmUp = 1 } = {}) {
  const samples = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]))
  for (let round = -warmUp; round < count; round += 1) {
    for (const [name, measure] of Object.entries(contestants)) {
      const figure = await measure(round)
      if (round >= 0) samples[name].push(figure)
    }
  }
  return samples
}
