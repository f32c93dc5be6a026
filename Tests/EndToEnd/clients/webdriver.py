"""Chromium as a test drives it: by chromedriver and W3C WebDriver's HTTP, with nothing that Python does not have."""

import base64
import http.client
import json
import os
import re
import shutil
import subprocess

TAB, ENTER, ESCAPE = "\ue004", "\ue007", "\ue00c"

# Neither it nor what it starts outlives this script. All that it writes is in the working directory, which is the test's.
OWN_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"] if os.geteuid() == 0 else []
COMMAND = ["setpriv", "--pdeathsig", "KILL", "--", *OWN_NAMESPACE, "chromedriver", "--port=0"]
# A container has no sandbox for it, little shared memory and no graphics.
ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking",
    "--window-size=1280,800",
]


class Browser:
    """A window without a screen. Leaving the `with` ends it."""

    def __enter__(self):
        folder = os.getcwd()
        self.driver = subprocess.Popen(
            COMMAND, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": folder, "HOME": folder})
        port = next(found[1] for line in self.driver.stdout if (found := re.search(r"successfully on port (\d+)", line)))
        self.connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=180)
        capabilities = {
            "acceptInsecureCerts": True,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": ARGUMENTS},
        }
        self.path = "/session"
        self.path += "/" + self.post("", capabilities={"alwaysMatch": capabilities})["sessionId"]
        self.post("/timeouts", script=120_000)
        return self

    def __exit__(self, *_):
        try:
            self.request("DELETE", "")
        finally:
            self.driver.kill()
            self.driver.wait()

    def post(self, path, **body):
        return self.request("POST", path, json.dumps(body))

    def request(self, method, path, body=None):
        self.connection.request(method, self.path + path, body, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        value = json.loads(answer.read())["value"]
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {value['error']}: {value['message']}")
        return value

    def open(self, url):
        self.post("/url", url=url)

    def run(self, script, *arguments):
        """What the body of a function returns."""
        return self.post("/execute/sync", script=script, args=list(arguments))

    def wait(self, expression, *arguments):
        """Waits until an expression, which may have `arguments`, is true; the document is what changes until then."""
        self.post("/execute/async", args=list(arguments), script=f"""
            const done = arguments[arguments.length - 1];
            const look = () => {{ if ({expression}) {{ observer.disconnect(); done(); }} }};
            const observer = new MutationObserver(look);
            observer.observe(document, {{ subtree: true, childList: true, characterData: true, attributes: true }});
            look();
            """)

    def press(self, keys):
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.post("/actions", actions=[{"type": "key", "id": "keyboard", "actions": actions}])

    def command(self, name, **parameters):
        """A command of Chromium's own protocol."""
        return self.post("/goog/cdp/execute", cmd=name, params=parameters)

    def look(self, file, width, scheme, height=800, scale=2):
        """Writes a picture of the whole page, as wide and as dark as that, with so many of its points for one of the page's."""
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.command("Emulation.setScrollbarsHidden", hidden=True)
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False)
        picture = self.command("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        with open(file, "wb") as output:
            output.write(base64.b64decode(picture))

    def console(self):
        """What the console has said since it was asked last."""
        return [entry["message"] for entry in self.post("/se/log", type="browser") if entry["level"] in ("SEVERE", "WARNING")]

    def addresses(self):
        """What has been asked for since this was asked last."""
        events = (json.loads(entry["message"])["message"] for entry in self.post("/se/log", type="performance"))
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
