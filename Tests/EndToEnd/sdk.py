"""Calls with the official openai package and tells what it sees, one JSON line each."""

import asyncio
import json
import signal
import sys

import openai

MESSAGES = [{"role": "user", "content": "Tell me a joke"}]


def tell(**seen):
    print(json.dumps(seen, ensure_ascii=False), flush=True)


def tell_error(error):
    tell(
        error=type(error).__name__,
        status=getattr(error, "status_code", None),
        message=error.message,
        type=getattr(error, "type", None),
    )


def tell_chunk(chunk):
    for choice in chunk.choices:
        if choice.delta.content:
            tell(content=choice.delta.content)
        if choice.finish_reason:
            tell(finish_reason=choice.finish_reason)


def stream():
    for chunk in openai.OpenAI(max_retries=0).chat.completions.create(model="stub-1", messages=MESSAGES, stream=True):
        tell_chunk(chunk)
    tell(end=True)


async def async_stream():
    client = openai.AsyncOpenAI(max_retries=0)
    async for chunk in await client.chat.completions.create(model="stub-1", messages=MESSAGES, stream=True):
        tell_chunk(chunk)
    tell(end=True)


def complete():
    completion = openai.OpenAI(max_retries=0).chat.completions.create(model="stub-1", messages=MESSAGES)
    tell(content=completion.choices[0].message.content, finish_reason=completion.choices[0].finish_reason)


async def async_complete():
    completion = await openai.AsyncOpenAI(max_retries=0).chat.completions.create(model="stub-1", messages=MESSAGES)
    tell(content=completion.choices[0].message.content, finish_reason=completion.choices[0].finish_reason)


def leave():
    """Takes one piece of content, hangs up, and stays alive until it is told to go."""
    chunks = openai.OpenAI(max_retries=0).chat.completions.create(model="stub-1", messages=MESSAGES, stream=True)
    for chunk in chunks:
        if chunk.choices[0].delta.content:
            break
    chunks.close()
    tell(left=True)
    signal.pause()


def retry():
    """Leaves the retries to the package, as its users do."""
    completion = openai.OpenAI(max_retries=2).chat.completions.create(model="stub-1", messages=MESSAGES)
    tell(content=completion.choices[0].message.content)


try:
    command = globals()[sys.argv[1]]
    asyncio.run(command()) if asyncio.iscoroutinefunction(command) else command()
except openai.APIError as error:
    tell_error(error)
