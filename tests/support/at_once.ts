/** Does `act` for 0 to `times`, so many at once; throws what failed first, when all under way are over. */
export async function atOnce(
  atOnce: number,
  times: number,
  act: (i: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const failures: unknown[] = [];
  const work = async () => {
    while (next < times && failures.length === 0) await act(next++).catch((thrown) => failures.push(thrown));
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  if (failures.length > 0) throw failures[0];
}
