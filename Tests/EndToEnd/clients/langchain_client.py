"""Asks with LangChain's ChatOpenAI in every way; the question says how the stub upstream answers. One JSON line for each way."""

import asyncio
import os

import openai
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from tell import tell, tell_error

model = ChatOpenAI(model="stub-1", base_url=os.environ["OPENAI_BASE_URL"], max_retries=0)


@tool
def weather(place: str) -> str:
    """Tells the weather at a place."""
    return f"sunny in {place}"


def invoke():
    tell(content=[model.invoke("answer").content])


def stream():
    tell(content=[chunk.content for chunk in model.stream("answer") if chunk.content])


async def ainvoke():
    tell(content=[(await model.ainvoke("answer")).content])


async def astream():
    tell(content=[chunk.content async for chunk in model.astream("answer") if chunk.content])


def call_tools():
    bound = model.bind_tools([weather])
    history = [HumanMessage("call the tools")]
    answer = bound.invoke(history)
    results = [ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]) for call in answer.tool_calls]
    tell(content=[result.content for result in results])
    tell(content=[bound.invoke([*history, answer, *results]).content])


def stream_tool_calls():
    whole = None
    for chunk in model.bind_tools([weather]).stream("call the tools"):
        whole = chunk if whole is None else whole + chunk
    tell(content=[call["args"]["place"] for call in whole.tool_calls])


def refused():
    model.invoke("refuse")


def unavailable():
    list(model.stream("fail"))


def broken_off():
    for chunk in model.stream("break off"):
        if chunk.content:
            tell(content=[chunk.content])


async def broken_off_async():
    async for chunk in model.astream("break off"):
        if chunk.content:
            tell(content=[chunk.content])


async def main():
    for way in (
        invoke, stream, ainvoke, astream, call_tools, stream_tool_calls, refused, unavailable, broken_off,
        broken_off_async,
    ):
        try:
            seen = way()
            if asyncio.iscoroutine(seen):
                await seen
        except openai.APIError as error:
            tell_error(error)


asyncio.run(main())
