"""Reads streams with the official openai package, straight from an upstream and through Sluice, and tells what it sees.

usage: event_rules.py URL-OF-THE-UPSTREAM STREAM-NUMBER...      one JSON line for each stream
"""

import json
import sys

import openai
from openai._streaming import SSEDecoder


def question(number):
    content = f"stream {number}, split 0"
    return {"model": "stub-1", "messages": [{"role": "user", "content": content}], "stream": True}


def told(items, tell):
    """What comes of them, one text each; an error is the last."""
    seen = []
    try:
        for item in items:
            seen.append(tell(item))
    except (openai.APIError, ValueError) as error:
        seen.append(f"{type(error).__name__}: {error}")
    return seen


def seen(client, number):
    completions = client.chat.completions
    with completions.with_streaming_response.create(**question(number)) as response:
        events = told(SSEDecoder().iter_bytes(response.iter_bytes()), repr)
    chunks = told(completions.create(**question(number)), lambda chunk: chunk.to_json(indent=None))
    return {"events": events, "chunks": chunks}


def main(direct, *numbers):
    through = openai.OpenAI(max_retries=0)
    straight = openai.OpenAI(max_retries=0, base_url=direct)
    for number in numbers:
        print(json.dumps({"direct": seen(straight, number), "through": seen(through, number)}), flush=True)


main(*sys.argv[1:])
