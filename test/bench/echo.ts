import { createServer } from "node:http"

/** The floor of a small request: a bare server that reads the body and answers. */
const server = createServer((request, response) => {
  request.on("data", () => {})
  request.on("end", () => {
    response.writeHead(200, { "content-type": "application/x-protobuf", "content-length": 0 })
    response.end()
  })
})
server.listen(0, "127.0.0.1", () => process.send?.(server.address()))
process.on("disconnect", () => process.exit(0))
