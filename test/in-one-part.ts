/** For detectors of tests, whose memory is small: it is written down as it is. */
export const inOnePart = {
  pack: (state: unknown): Iterable<unknown> => [state],
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- what was packed is of that type
  async unpack<State>(parts: AsyncIterable<unknown>): Promise<State> {
    for await (const part of parts) return part as State
    throw new Error("Nothing was packed")
  },
}
