"""One request over FastCGI by the client of flup, of PyPI: its answer, head and body.

usage: flup_call.py SOCKET BODY
"""

import io
import socket
import sys

from flup.client.fcgi_app import FCGIApp


class Client(FCGIApp):
    def _getConnection(self):
        # Its own way to connect asks for a name that Python 3 has not.
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._connect)
        return connection


def start_response(status, headers):
    for name, value in [(b"Status", status), *headers]:
        sys.stdout.buffer.write(name + b": " + value + b"\n")
    sys.stdout.buffer.write(b"\n")


path, body = sys.argv[1:]
body = body.encode()
environment = {
    "REQUEST_METHOD": "POST",
    "SCRIPT_NAME": "/v1/chat/completions",
    "CONTENT_TYPE": "application/json",
    "CONTENT_LENGTH": str(len(body)),
    "SLUICE_CLIENT": "flup",
    "wsgi.input": io.BytesIO(body),
    "wsgi.errors": sys.stderr,
}
answer = Client(connect=path, filterEnviron=False)(environment, start_response)
sys.stdout.buffer.write(b"".join(answer))
