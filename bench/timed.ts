const warmUpRounds = 10;

/** Milliseconds that each of `rounds` runs of `work` took, once it has warmed up. */
export async function timed(rounds: number, work: () => Promise<void>): Promise<number[]> {
  for (let i = 0; i < warmUpRounds; i++) await work();
  const samples: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const start = performance.now();
    await work();
    samples.push(performance.now() - start);
  }
  return samples;
}
