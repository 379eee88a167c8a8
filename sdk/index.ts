export * from "./ladder.ts"
export * from "./semconv.ts"
