/** Where agents expect OTLP when nobody says otherwise. */
export const STANDARD_OTLP_PORT = 4318
export const STANDARD_GRPC_PORT = 4317

/** Something else listens there. */
export class PortTaken extends Error {
  override name = "PortTaken"

  constructor(port: number) {
    super(`Port ${port} is taken. Set PORT, OTLP_PORT and OTLP_GRPC_PORT to free ones, or stop what uses it.`)
  }
}

/** What `bind` gives, or null and a word about it when the standard port, which nobody asked for, is taken. */
export async function bindIfFree<T>(
  bind: () => Promise<T>,
  isAskedFor: boolean,
  tell: (line: string) => void,
): Promise<T | null> {
  try {
    return await bind()
  } catch (error) {
    if (isAskedFor || !(error instanceof PortTaken)) throw error
    tell(error.message)
    return null
  }
}
