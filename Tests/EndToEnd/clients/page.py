"""Uses the page in a browser, by its keyboard alone, and tells what it shows, one JSON line each."""

import os
import sys
import urllib.parse

from tell import tell
from webdriver import ENTER, TAB, Browser

SITE = os.environ["OPENAI_BASE_URL"].removesuffix("/v1")
TOKEN = os.environ["OPENAI_API_KEY"]
# In the place of a token: the field stays empty.
NONE = "none"

ANSWER = """
    const turn = document.querySelector(".turn:last-child");
    const text = (selector) => turn.querySelector(selector).textContent;
    return {
        ending: turn.dataset.ending, text: text(".text"), state: text(".state"), error: text(".error"),
        events: turn.querySelectorAll(".events li").length, busy: turn.parentElement.getAttribute("aria-busy"),
    };
    """
FIGURES = """
    const figures = [...document.querySelectorAll(".figures > div")];
    return {
        figures: Object.fromEntries(figures.map((figure) => [...figure.children].map((part) => part.textContent))),
        dots: document.querySelector("#event-dots").getAttribute("d").split("M").length - 1,
        picture: document.querySelector("#dots").getAttribute("aria-label"),
    };
    """
ENDED = 'document.querySelector(".turn:last-child")?.dataset.ending !== undefined'


def reach(browser, name):
    """Goes on from field to field until that one has the keyboard."""
    for _ in range(40):
        if browser.run("return document.activeElement.id") == name:
            return
        browser.press(TAB)
    raise RuntimeError(f"Tab does not lead to {name}")


def ask(browser, path):
    browser.open(SITE + path)
    reach(browser, "token")
    if TOKEN != NONE:
        browser.press(TOKEN)
    reach(browser, "message")
    browser.press("Tell me a joke" + ENTER)


def tell_growth(browser, words):
    """Tells of each text that the answer has on its way."""
    text = ""
    for word in words:
        text += word
        browser.wait('document.querySelector(".turn:last-child .text")?.textContent === arguments[0]', text)
        tell(shown=text)


def tell_end(browser):
    browser.wait(ENDED)
    tell(**browser.run(ANSWER), **browser.run(FIGURES))
    asked = [urllib.parse.urlsplit(address) for address in browser.addresses() if not address.startswith("data:")]
    paths = {address.path + (address.query and "?" + address.query) for address in asked}
    own = urllib.parse.urlsplit(SITE).netloc
    tell(console=browser.console(), sites=sorted({address.netloc for address in asked}), own=own, paths=sorted(paths))


def talk(path, *words):
    """Asks, and waits for each word and for the end."""
    with Browser() as browser:
        ask(browser, path)
        tell_growth(browser, words)
        tell_end(browser)


def watch(folder, *words):
    """The same, beside how Sluice does, with pictures of it all, and with the request as a command in the end."""
    with Browser() as browser:
        ask(browser, "/sluice/")
        tell_growth(browser, words[:1])
        browser.wait('document.querySelector("#streams tbody")?.textContent.includes("streaming")')
        tell(streams=browser.run('return document.querySelector("#streams tbody").textContent'))
        tell_growth(browser, ["".join(words)])
        tell_end(browser)
        tell(upstreams=browser.run('return [...document.querySelectorAll("#upstreams th[scope=row]")].map((cell) => cell.textContent)'))
        tell(times=browser.run('return document.querySelector("#upstreams .target").cells[2].textContent'),
             note=browser.run('return document.querySelector("#upstreams-note").textContent'))
        browser.run('document.querySelector(".turn:last-child details").open = true')
        for width in 1280, 390:
            for scheme in "light", "dark":
                browser.look(f"{folder}/page-{width}-{scheme}.png", width, scheme)
        tell_command(browser)


def tell_command(browser):
    reach(browser, "curl")
    browser.press(ENTER)
    browser.wait('document.querySelector("#note").textContent !== ""')
    command = 'return document.querySelector("#command").value || navigator.clipboard.readText()'
    browser.command("Browser.grantPermissions", permissions=["clipboardReadWrite"])
    tell(command=browser.run(command))


def aim(path):
    """Asks, and gives the request as a command."""
    with Browser() as browser:
        ask(browser, path)
        tell_end(browser)
        tell_command(browser)


def detach():
    """Opens the page at an address that is no site's."""
    with Browser() as browser:
        browser.open(SITE + "/sluice/")
        page = browser.run("return fetch(location.href).then((response) => response.text())")
        browser.open("data:text/html;charset=utf-8," + urllib.parse.quote(page))
        tell(ending="none", note=browser.run('return document.querySelector("#note").textContent'))


def spoil(*words):
    """Takes away what the page lists events in, so that the next one is more than it can show."""
    with Browser() as browser:
        ask(browser, "/sluice/")
        tell_growth(browser, words)
        browser.wait('document.querySelector("#streams tbody")?.textContent.includes("streaming")')
        browser.run('document.querySelector(".turn:last-child .events").remove()')
        tell(spoiled=True)
        tell_end(browser)
        # As long as the request goes on, it is listed.
        browser.wait('document.querySelector("#streams").hidden')
        tell(sends=browser.run('return !document.querySelector("#send").disabled'))


def stop(*words):
    """Stops an answer that would go on."""
    with Browser() as browser:
        ask(browser, "/sluice/")
        tell_growth(browser, words)
        reach(browser, "stop")
        browser.press(ENTER)
        tell_end(browser)
        tell(focus=focus(browser))
        browser.press("Another")
        tell(message=browser.run('return document.querySelector("#message").value'))


def refuse():
    """Asks, and tells of where the page leads then."""
    with Browser() as browser:
        ask(browser, "/sluice/")
        tell_end(browser)
        tell(focus=focus(browser), note=browser.run('return document.querySelector("#note").textContent'))


def focus(browser):
    return browser.run("return document.activeElement.id")


globals()[sys.argv[1]](*sys.argv[2:])
