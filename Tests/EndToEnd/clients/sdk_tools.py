"""Lets the official openai package call tools, and tells the calls and the answer to their results, one JSON line each."""

import asyncio
import sys

import openai
from tell import tell

question = [{"role": "user", "content": "How is the weather, and how late is it?"}]


def tool(name):
    parameters = {
        "type": "object",
        "properties": {"place": {"type": "string"}},
        "required": ["place"],
        "additionalProperties": False,
    }
    return {"type": "function", "function": {"name": name, "parameters": parameters, "strict": True}}


request = {"model": "stub-1", "tools": [tool("weather"), tool("time")], "parallel_tool_calls": True}


def with_results(calls):
    """The history with a result for each call: what it was called with."""
    history = [{"id": id, "type": "function", "function": {"name": name, "arguments": text}} for id, name, text in calls]
    results = [{"role": "tool", "tool_call_id": id, "content": f"result of {text}"} for id, _, text in calls]
    return [*question, {"role": "assistant", "content": None, "tool_calls": history}, *results]


def tell_calls(calls, **more):
    tell(calls=[{"id": id, "name": name, "arguments": text} for id, name, text in calls], **more)


def stream():
    """By the package's own reassembling."""
    client = openai.OpenAI(max_retries=0)
    with client.chat.completions.stream(messages=question, **request) as events:
        pieces = sum(event.type == "tool_calls.function.arguments.delta" for event in events)
        choice = events.get_final_completion().choices[0]
    calls = [(call.id, call.function.name, call.function.arguments) for call in choice.message.tool_calls]
    tell_calls(calls, pieces=pieces, finish_reason=choice.finish_reason)
    with client.chat.completions.stream(messages=with_results(calls), **request) as events:
        tell(content=events.get_final_completion().choices[0].message.content)


async def async_stream():
    """By hand, as most programs do it."""
    client = openai.AsyncOpenAI(max_retries=0)
    calls, pieces, finish_reason = {}, 0, None
    async for chunk in await client.chat.completions.create(messages=question, stream=True, **request):
        for delta in chunk.choices[0].delta.tool_calls or []:
            call = calls.setdefault(delta.index, [None, None, ""])
            call[0], call[1] = delta.id or call[0], delta.function.name or call[1]
            call[2] += delta.function.arguments
            pieces += 1
        finish_reason = chunk.choices[0].finish_reason or finish_reason
    calls = [calls[index] for index in sorted(calls)]
    tell_calls(calls, pieces=pieces, finish_reason=finish_reason)
    answer = ""
    async for chunk in await client.chat.completions.create(messages=with_results(calls), stream=True, **request):
        answer += chunk.choices[0].delta.content or ""
    tell(content=answer)


def complete():
    client = openai.OpenAI(max_retries=0)
    choice = client.chat.completions.create(messages=question, **request).choices[0]
    calls = [(call.id, call.function.name, call.function.arguments) for call in choice.message.tool_calls]
    tell_calls(calls, finish_reason=choice.finish_reason)
    answer = client.chat.completions.create(messages=with_results(calls), **request)
    tell(content=answer.choices[0].message.content)


def no_tools():
    """An empty list, as programs without tools send it."""
    client = openai.OpenAI(max_retries=0)
    empty = {"model": "stub-1", "messages": question, "tools": [], "tool_choice": "auto", "parallel_tool_calls": False}
    tell(content=client.chat.completions.create(**empty).choices[0].message.content)
    with client.chat.completions.stream(**empty) as events:
        tell(content=events.get_final_completion().choices[0].message.content)


seen = globals()[sys.argv[1]]()
if asyncio.iscoroutine(seen):
    asyncio.run(seen)
