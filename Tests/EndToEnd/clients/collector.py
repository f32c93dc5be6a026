"""A collector of traces: takes them by OTLP over HTTP as JSON, reads them by the official schema, and tells each request as one line.

The first line is the port that it listens on. What the schema does not know ends the request with 400, and a line that says why."""

import base64
import http.server
import json
import threading

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tell import tell


telling = threading.Lock()


def by_the_schema(text):
    """OTLP has identifiers in hexadecimal, and protobuf's JSON bytes in base64."""
    body = json.loads(text)
    for resource in body["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for member, count in (("traceId", 32), ("spanId", 16), ("parentSpanId", 16)):
                    if member in span:
                        digits = span[member]
                        if len(digits) != count or digits != digits.lower():
                            raise ValueError(f"{member}: {digits}")
                        span[member] = base64.b64encode(bytes.fromhex(digits)).decode()
    return json_format.Parse(json.dumps(body), ExportTraceServiceRequest())


def value(of):
    kind = of.WhichOneof("value")
    return [value(one) for one in of.array_value.values] if kind == "array_value" else getattr(of, kind)


def attributes(of):
    named = {one.key: value(one.value) for one in of.attributes}
    if len(named) != len(of.attributes):
        raise ValueError("an attribute stands twice")
    return named


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        status = 200
        try:
            if self.headers["Content-Type"] != "application/json":
                raise ValueError(self.headers["Content-Type"])
            spans = []
            for resource in by_the_schema(text).resource_spans:
                for scope in resource.scope_spans:
                    spans += [
                        {
                            "service": attributes(resource.resource)["service.name"],
                            "trace": span.trace_id.hex(),
                            "id": span.span_id.hex(),
                            "parent": span.parent_span_id.hex(),
                            "state": span.trace_state,
                            "name": span.name,
                            "kind": Span.SpanKind.Name(span.kind),
                            "seconds": (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                            "attributes": {key: str(of) for key, of in attributes(span).items()},
                            "events": [event.name for event in span.events],
                            "failed": span.status.code == 2,
                        }
                        for span in scope.spans
                    ]
            told = {"spans": spans, "raw": f"{self.path}\n{self.headers}{text}"}
        except (KeyError, ValueError, json_format.ParseError) as error:
            status, told = 400, {"spans": [], "raw": f"not by the schema: {type(error).__name__}: {error}"}
        with telling:
            tell(**told)
        body = b"{}"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
