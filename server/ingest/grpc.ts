import {
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
} from "@grpc/grpc-js"
import {
  admit,
  BODY_MAX_BYTES,
  BUSY,
  findBusy,
  commit,
  isUnstorable,
  NOT_STORED,
  NOTHING_STORED,
  prepare,
  readRequest,
  type ReceiverOptions,
  RETRY_AFTER_SECONDS,
  TEST_HEADER,
  UNSTORABLE,
} from "./accept.ts"
import type { RequestOutcome } from "./meter.ts"
import { PortTaken } from "../ports.ts"
import { encodeExportResponse, encodeRetryInfo } from "./otlp/response.ts"
import type { OtlpSignal } from "./otlp/types.ts"

const SERVICES: readonly (readonly [OtlpSignal, string])[] = [
  ["traces", "opentelemetry.proto.collector.trace.v1.TraceService"],
  ["logs", "opentelemetry.proto.collector.logs.v1.LogsService"],
  ["metrics", "opentelemetry.proto.collector.metrics.v1.MetricsService"],
]

/** Without retry information none is sent again. */
const REFUSED = {
  malformed: status.INVALID_ARGUMENT,
  too_large: status.RESOURCE_EXHAUSTED,
  unauthenticated: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED,
  throttled: status.RESOURCE_EXHAUSTED,
}

const BUSY_STATUS = { full: status.UNAVAILABLE, unfair: status.RESOURCE_EXHAUSTED }

/** Messages go through as bytes: the walker reads them. */
const asBytes = (bytes: Buffer) => bytes

function serviceOf(name: string): ServiceDefinition {
  return {
    Export: {
      path: `/${name}/Export`,
      requestStream: false,
      responseStream: false,
      requestSerialize: asBytes,
      requestDeserialize: asBytes,
      responseSerialize: asBytes,
      responseDeserialize: asBytes,
    },
  }
}

/**
 * OTLP/gRPC: the same path behind another transport; gzip is undone by the library.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#otlpgrpc
 */
export function createGrpcServer(options: ReceiverOptions): Server {
  const server = new Server({ "grpc.max_receive_message_length": BODY_MAX_BYTES.protobuf })
  for (const [signal, name] of SERVICES) {
    const exportCall: handleUnaryCall<Buffer, Buffer> = (call, respond) => {
      const fail = (code: status, details: string, metadata = new Metadata()) => respond({ code, details, metadata })
      const failForNow = (code: status, details: string, seconds: number) => {
        const metadata = new Metadata()
        metadata.set("grpc-status-details-bin", encodeRetryInfo(code, details, seconds))
        fail(code, details, metadata)
      }
      const receive = async () => {
        const authorization = call.metadata.get("authorization")[0]?.toString()
        const admission = await admit(options, { authorization, clientAddress: addressOf(call.getPeer()) })
        if (!admission.ok) {
          const { reason, message, retryAfterSeconds } = admission
          options.meter.request(null, reason)
          if (retryAfterSeconds === null) fail(REFUSED[reason], message)
          else failForNow(REFUSED[reason], message, retryAfterSeconds)
          return
        }
        const { key } = admission
        const count = (outcome: RequestOutcome) => options.meter.request(key.orgId, outcome)
        const holding = options.budget.open(key.id)
        try {
          const isBusy = findBusy(options, key, holding, call.request.length)
          if (isBusy !== null) {
            count(isBusy === "full" ? "busy" : "unfair")
            return failForNow(BUSY_STATUS[isBusy], BUSY[isBusy], RETRY_AFTER_SECONDS)
          }
          holding.wait(options.now().getTime())
          const read = await readRequest(signal, "protobuf", call.request, options.now(), key.agentTool)
          if (!read.ok) {
            count(read.reason)
            return fail(REFUSED[read.reason], read.message)
          }
          const ready = await prepare(options, key, read.normalized, holding)
          await commit(options, key, ready)
          count("stored")
          const trailer = new Metadata()
          if (ready.batch === null) trailer.set(TEST_HEADER, NOTHING_STORED)
          const answer = encodeExportResponse(signal, "protobuf", ready.rejected, ready.message)
          respond(null, Buffer.from(answer), trailer)
        } catch (error) {
          count(isUnstorable(error) ? "unstorable" : "failed")
          throw error
        } finally {
          holding.release()
        }
      }
      receive().catch((error: unknown) => {
        options.log("ingest failed", error)
        if (isUnstorable(error)) fail(status.INVALID_ARGUMENT, UNSTORABLE)
        else failForNow(status.UNAVAILABLE, NOT_STORED, RETRY_AFTER_SECONDS)
      })
    }
    server.addService(serviceOf(name), { Export: exportCall })
  }
  return server
}

/** The address in a peer's `address:port`; null when it names none. */
function addressOf(peer: string): string | null {
  return /^\[?(.+?)\]?:\d+$/.exec(peer)?.[1] ?? null
}

/** Resolves with the port that was bound; port 0 takes a free one. */
export function listenGrpc(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound)
      else reject(error.message.includes("EADDRINUSE") ? new PortTaken(port) : error)
    })
  })
}

/** Takes no new calls; those in hand get `graceMs` to finish. */
export function closeGrpc(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const deadline = setTimeout(() => server.forceShutdown(), graceMs)
    server.tryShutdown(() => {
      clearTimeout(deadline)
      resolve()
    })
  })
}
