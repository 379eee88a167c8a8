/** Arguments of kysely-codegen that make server/db/types.ts; the driver reads int8 as a number. */
export const TYPES_ARGUMENTS = [
  "--dialect",
  "postgres",
  "--out-file",
  "server/db/types.ts",
  "--exclude-pattern",
  "{kysely_*,pgboss.*}",
  "--type-mapping",
  '{"int8":"number"}',
]
