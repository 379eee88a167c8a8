import { z } from "zod"
import { NATIVE_TOOLS } from "#sdk/policy/native/compile-native.ts"
import { ANALYTICS_PATHS } from "../api/openapi.ts"
import { outcomesRequestSchema, outcomesResponseSchema } from "../outcomes/http-schemas.ts"
import {
  budgetsSchema,
  decideRequestSchema,
  decideResponseSchema,
  errorSchema,
  nativeSchema,
  statusReportSchema,
} from "./http-schemas.ts"

const json = (schema: z.ZodType, io: "input" | "output" = "output") => ({
  "application/json": { schema: z.toJSONSchema(schema, { target: "draft-2020-12", io }) },
})

const refused = (description: string) => ({ description, content: json(errorSchema) })

const REFUSALS = {
  "401": refused("No key, or one that does not work."),
  "403": refused("The key may not read policies: it needs the scope policy:read."),
  "429": refused("Too many requests in a minute; Retry-After says how long to wait."),
  "503": refused("Belay cannot answer now. Go on with the policy that you have."),
}

const ENDUSER = {
  name: "belay-enduser",
  in: "header",
  description:
    "The person, as enduser.id in telemetry: an e-mail address or an id. Without it the organization's policy is meant.",
  schema: { type: "string" },
}

const IF_NONE_MATCH = {
  name: "if-none-match",
  in: "header",
  description: "The ETag that is known.",
  schema: { type: "string" },
}

const TOOL = { name: "tool", in: "path", required: true, schema: { enum: NATIVE_TOOLS } }

const HOOK = {
  name: "hook",
  in: "query",
  description: "The command line of `belay` on the machines, to have its hook written into the files.",
  schema: { type: "string", maxLength: 300 },
}

const NATIVE_REFUSALS = {
  "304": { description: "What is known is still what the policy says." },
  "404": refused("No such tool or file, or nothing is published that binds this person."),
  ...REFUSALS,
}

/** The OpenAPI 3.1 description of what policy clients ask, what other systems tell of outcomes, and the analytics. */
export const OPENAPI = {
  openapi: "3.1.0",
  info: {
    title: "Belay",
    version: "1",
    description:
      "Signed policies for agents, decisions for those who cannot decide by themselves, and what became of their work; and the figures of the pages, to read.",
  },
  security: [{ key: [] }],
  components: {
    securitySchemes: {
      key: {
        type: "http",
        scheme: "bearer",
        description: "A key with the scope policy:read, ingest or analytics:read.",
      },
    },
  },
  paths: {
    "/v1/policy": {
      get: {
        summary: "The signed bundle that binds a person",
        parameters: [ENDUSER, IF_NONE_MATCH],
        responses: {
          "200": {
            description: "An envelope: belay.bundle/1, signed with Ed25519 over format, key id and payload.",
            headers: { etag: { schema: { type: "string" } } },
            content: {
              "application/json": {
                schema: {
                  type: "object",
                  required: ["format", "keyId", "payload", "signature"],
                  properties: {
                    format: { const: "belay.bundle/1" },
                    keyId: { type: "string" },
                    payload: { type: "string", description: "base64url of JSON" },
                    signature: { type: "string", description: "base64url, over format, key id and payload by lines" },
                  },
                },
              },
            },
          },
          "304": { description: "What is known is still in force." },
          "404": refused("Nothing is published that binds this person."),
          ...REFUSALS,
        },
      },
    },
    "/v1/policy/keys": {
      get: {
        summary: "The public keys that bundles are signed with, now and next",
        responses: {
          "200": {
            description: "Ed25519 public keys, 32 bytes in base64url.",
            content: json(
              z.object({
                organization: z.uuid(),
                keys: z.array(z.object({ id: z.string(), publicKey: z.string() })),
              }),
            ),
          },
          ...REFUSALS,
        },
      },
    },
    "/v1/policy/events": {
      get: {
        summary: "The bundle, and every one that takes its place, as server-sent events",
        parameters: [
          ENDUSER,
          { name: "last-event-id", in: "header", description: "The ETag that is known.", schema: { type: "string" } },
        ],
        responses: {
          "200": {
            description:
              "Events named policy: data is the envelope, id its ETag. One named budgets says that a budget reached a threshold: ask for /v1/policy/budgets.",
            content: { "text/event-stream": { schema: { type: "string" } } },
          },
          ...REFUSALS,
        },
      },
    },
    "/v1/policy/native/{tool}": {
      get: {
        summary: "The policy in the form that an agent tool reads by itself, with where its files belong",
        parameters: [TOOL, HOOK, ENDUSER, IF_NONE_MATCH],
        responses: {
          "200": { description: "Files, losses and notes.", content: json(nativeSchema) },
          ...NATIVE_REFUSALS,
        },
      },
    },
    "/v1/policy/native/{tool}/{file}": {
      get: {
        summary: "One such file as it is, at an address that stays",
        parameters: [
          TOOL,
          { name: "file", in: "path", required: true, schema: { type: "string" } },
          HOOK,
          ENDUSER,
          IF_NONE_MATCH,
        ],
        responses: {
          "200": {
            description: "The file; belay-policy-version names the policy that it says.",
            headers: { etag: { schema: { type: "string" } }, "belay-policy-version": { schema: { type: "integer" } } },
            content: {
              "application/json": { schema: { type: "object" } },
              "application/toml": { schema: { type: "string" } },
              "text/plain": { schema: { type: "string" } },
            },
          },
          ...NATIVE_REFUSALS,
        },
      },
    },
    "/v1/outcomes": {
      post: {
        summary: "What became of the work of agents, as any other system knows it",
        description:
          "For systems that are neither GitHub nor GitLab. An outcome counts once the signals of its operation are counted, whichever comes first; one of more than 30 days ago does not. The key needs the scope ingest.",
        requestBody: { required: true, content: json(outcomesRequestSchema, "input") },
        responses: {
          "200": { description: "Stored.", content: json(outcomesResponseSchema) },
          "413": refused("More than 1 MiB."),
          "422": refused("Not as described; nothing of it was stored."),
          ...REFUSALS,
          "403": refused("The key may not send outcomes: it needs the scope ingest."),
        },
      },
    },
    "/v1/policy/budgets": {
      get: {
        summary: "How the budgets stand that bind a person",
        description:
          "For clients that decide by themselves. One that has not asked for ten minutes does not know what is used, and asks the person wherever a budget may ask or deny; a budget that it knows to be used up stays so until it starts anew. Go by the envelope, once its signature holds, and take none that is of another person or older than the last.",
        parameters: [
          ENDUSER,
          { name: "if-none-match", in: "header", description: "The ETag that is known.", schema: { type: "string" } },
        ],
        responses: {
          "200": {
            description: "The budgets of all layers.",
            headers: { etag: { schema: { type: "string" } } },
            content: json(budgetsSchema),
          },
          "304": { description: "They stand as is known." },
          "404": refused("Nothing is published that binds this person."),
          ...REFUSALS,
        },
      },
    },
    "/v1/policy/status": {
      post: {
        summary: "Says what a client goes by",
        parameters: [ENDUSER],
        requestBody: { required: true, content: json(statusReportSchema, "input") },
        responses: {
          "204": { description: "Noted." },
          "422": refused("What was sent is not such a report."),
          ...REFUSALS,
        },
      },
    },
    "/v1/decide": {
      post: {
        summary: "Decides on an action, and reserves what a call of a model may take of budgets",
        description:
          "A call of a model that is not denied takes a reservation from every budget that binds the person, in the one transaction in which it is decided: of callers at once each sees what was promised to the others, so that a hard limit is passed by one call at most. It is let go of when the signal of the call is counted, or when it expires.",
        parameters: [ENDUSER],
        requestBody: { required: true, content: json(decideRequestSchema, "input") },
        responses: {
          "200": { description: "What the policy decides.", content: json(decideResponseSchema) },
          "404": refused("Nothing is published that binds this person."),
          "422": refused("What was sent is not such a question."),
          ...REFUSALS,
        },
      },
    },
    ...ANALYTICS_PATHS,
  },
}
