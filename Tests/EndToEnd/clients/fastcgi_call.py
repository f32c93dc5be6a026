"""One request over FastCGI by fcgi-client, of PyPI: its answer, head and body.

usage: fastcgi_call.py SOCKET BODY
"""

import sys

from fcgi_client import FastCGIClient

socket, body = sys.argv[1:]
parameters = {
    "REQUEST_METHOD": "POST",
    "SCRIPT_NAME": "/v1/chat/completions",
    "CONTENT_TYPE": "application/json",
    "CONTENT_LENGTH": len(body.encode()),
    "SLUICE_CLIENT": "python",
}
sys.stdout.buffer.write(bytes(FastCGIClient("unix://" + socket).request(parameters, body)))
