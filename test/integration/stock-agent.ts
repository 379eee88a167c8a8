/** An agent that knows OpenTelemetry and nothing of Belay; its exporters are set by the standard variables. */
import { SpanKind, trace } from "@opentelemetry/api"
import { NodeSDK } from "@opentelemetry/sdk-node"

const sdk = new NodeSDK()
sdk.start()
const tracer = trace.getTracer("stock-agent")
tracer.startActiveSpan("invoke_agent helper", { attributes: { "gen_ai.operation.name": "invoke_agent" } }, (run) => {
  run.setAttribute("gen_ai.conversation.id", "conversation-1")
  tracer
    .startSpan("chat gpt-5", {
      kind: SpanKind.CLIENT,
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.conversation.id": "conversation-1",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 80,
        "gen_ai.input.messages": "a secret prompt",
      },
    })
    .end()
  tracer
    .startSpan("execute_tool search", {
      attributes: {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search",
        "gen_ai.conversation.id": "conversation-1",
      },
    })
    .end()
  run.end()
})
await sdk.shutdown()
