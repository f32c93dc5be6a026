"""Calls with the official openai package and tells what it sees, one JSON line each."""

import asyncio
import signal
import sys

import openai
from tell import tell, tell_error


def question(content="Tell me a joke"):
    return {"model": "stub-1", "messages": [{"role": "user", "content": content}]}


def tell_chunk(chunk):
    for choice in chunk.choices:
        if choice.delta.content:
            tell(content=choice.delta.content)
        if choice.finish_reason:
            tell(finish_reason=choice.finish_reason)


def stream(*content):
    for chunk in openai.OpenAI(max_retries=0).chat.completions.create(**question(*content), stream=True):
        tell_chunk(chunk)
    tell(end=True)


async def async_stream(*content):
    client = openai.AsyncOpenAI(max_retries=0)
    async for chunk in await client.chat.completions.create(**question(*content), stream=True):
        tell_chunk(chunk)
    tell(end=True)


def complete(*content, retries=0):
    completion = openai.OpenAI(max_retries=retries).chat.completions.create(**question(*content))
    tell(content=completion.choices[0].message.content, finish_reason=completion.choices[0].finish_reason)


async def async_complete(*content):
    completion = await openai.AsyncOpenAI(max_retries=0).chat.completions.create(**question(*content))
    tell(content=completion.choices[0].message.content, finish_reason=completion.choices[0].finish_reason)


def retry():
    """Leaves the retries to the package, as its users do."""
    complete(retries=2)


def errors(*contents):
    """Asks for each in every way; the package's retries are off."""
    for content in contents:
        for kind in stream, async_stream, complete, async_complete:
            run(kind, content)


def refusals():
    """Asks for what Sluice itself refuses, each as the package's users would come to it."""
    client = openai.OpenAI(max_retries=0)
    # A base URL for platforms without headers: all below it goes to Sluice.
    inside = client.with_options(base_url=str(client.base_url).replace("/v1/", f"/v/{client.api_key}/"))
    for mistake in (
        lambda: client.post("/chat/completions", cast_to=object, content=b'{"messages": ['),
        lambda: client.chat.completions.create(model="stub-1", messages=[]),
        lambda: client.chat.completions.create(model="stub-1", messages=[{"content": "no role"}], stream=True),
        lambda: inside.completions.create(model="stub-1", prompt="Tell me a joke"),
        lambda: client.chat.completions.list(),
        lambda: client.chat.completions.create(**question("a" * (9 << 20))),
    ):
        run(mistake)


def leave():
    """Takes one piece of content, hangs up, and stays alive until it is told to go."""
    chunks = openai.OpenAI(max_retries=0).chat.completions.create(**question(), stream=True)
    for chunk in chunks:
        if chunk.choices[0].delta.content:
            break
    chunks.close()
    tell(left=True)
    signal.pause()


def run(command, *arguments):
    try:
        seen = command(*arguments)
        if asyncio.iscoroutine(seen):
            asyncio.run(seen)
    except openai.APIError as error:
        tell_error(error)


run(globals()[sys.argv[1]], *sys.argv[2:])
