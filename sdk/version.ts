/** Of this package; a test holds it against package.json, which a hook has no time to read. */
export const VERSION = "0.1.0"
