"""Asks with litellm in every way; the question says how the stub upstream answers. One JSON line for each way."""

import asyncio
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks for the newest prices at every start

import litellm  # noqa: E402
import openai  # noqa: E402
from tell import tell, tell_error  # noqa: E402

litellm.suppress_debug_info = True


def request(content, **more):
    return {
        "model": "openai/stub-1",
        "api_base": os.environ["OPENAI_BASE_URL"],
        "api_key": os.environ["OPENAI_API_KEY"],
        "messages": [{"role": "user", "content": content}],
        "max_retries": 0,
        **more,
    }


def complete():
    tell(content=[litellm.completion(**request("answer")).choices[0].message.content])


def stream():
    chunks = litellm.completion(**request("answer", stream=True))
    tell(content=[text for chunk in chunks if (text := chunk.choices[0].delta.content)])


async def complete_async():
    tell(content=[(await litellm.acompletion(**request("answer"))).choices[0].message.content])


async def stream_async():
    chunks = await litellm.acompletion(**request("answer", stream=True))
    tell(content=[text async for chunk in chunks if (text := chunk.choices[0].delta.content)])


def call_tools():
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    chunks = list(litellm.completion(**request("call the tools", stream=True, tools=[tool])))
    calls = litellm.stream_chunk_builder(chunks).choices[0].message.tool_calls
    tell(content=[call.function.arguments for call in calls])


def refused():
    litellm.completion(**request("refuse"))


def unavailable():
    list(litellm.completion(**request("fail", stream=True)))


def broken_off():
    for chunk in litellm.completion(**request("break off", stream=True)):
        if text := chunk.choices[0].delta.content:
            tell(content=[text])


async def broken_off_async():
    async for chunk in await litellm.acompletion(**request("break off", stream=True)):
        if text := chunk.choices[0].delta.content:
            tell(content=[text])


async def main():
    for way in (
        complete, stream, complete_async, stream_async, call_tools, refused, unavailable, broken_off, broken_off_async,
    ):
        try:
            seen = way()
            if asyncio.iscoroutine(seen):
                await seen
        except openai.APIError as error:  # the base of litellm's own
            tell_error(error)


asyncio.run(main())
