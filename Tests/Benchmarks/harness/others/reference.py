"""The program that most begin with: FastAPI in front, the openai SDK behind. The environment's UPSTREAM is the upstream's URL."""

import os

import fastapi
import fastapi.responses
import openai

app = fastapi.FastAPI()
upstream = openai.AsyncOpenAI(base_url=os.environ["UPSTREAM"], api_key="none")


@app.post("/v1/chat/completions")
async def complete(request: fastapi.Request):
    stream = await upstream.chat.completions.create(**await request.json())
    return fastapi.responses.StreamingResponse(events(stream), media_type="text/event-stream")


async def events(stream):
    async with stream:
        async for chunk in stream:
            yield f"data: {chunk.model_dump_json()}\n\n"
    yield "data: [DONE]\n\n"
