"""Holds the description of the endpoints against their answers, with schemathesis. openapi_check.toml says how."""

import collections
import os
import pathlib
import urllib.parse

import requests
import schemathesis
from schemathesis.cli import schemathesis as command

url = os.environ["OPENAI_BASE_URL"] + "/openapi.json"
examples = collections.Counter()


@schemathesis.check
def errors_have_every_member(context, response, case):
    """The upstream refuses nothing here: each error is Sluice's or the web server's own. Called for each example."""
    examples[response.request.method, case.operation.path, response.status_code] += 1
    if response.status_code >= 400:
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}, response.text


# Of a document that it fetched itself schemathesis would leave out the path, and resolve the server's address against the root.
response = requests.get(
    url, headers={"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}, verify=os.environ["SSL_CERT_FILE"]
)
response.raise_for_status()
pathlib.Path("openapi.json").write_bytes(response.content)
server = urllib.parse.urljoin(url, response.json()["servers"][0]["url"])

try:
    settings = pathlib.Path(__file__).with_suffix(".toml")
    command(["--no-color", "--config-file", str(settings), "run", "openapi.json", "--url", server])
finally:
    for (method, path, status), count in sorted(examples.items()):
        print(f"{count:5} {method} {path} {status}")
    print(examples.total(), "examples")
