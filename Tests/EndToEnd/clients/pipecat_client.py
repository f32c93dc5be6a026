"""Runs Pipecat's OpenAI service in a pipeline: a turn, a function call, a turn that is interrupted. One JSON line for each event.

With the argument "voice" there is one turn, and what a voice of Pipecat's would be given of it is told too.
"""

import asyncio
import os
import sys

from loguru import logger
from pipecat.adapters.schemas.function_schema import FunctionSchema
from pipecat.adapters.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import InterruptionFrame, LLMContextFrame, LLMFullResponseEndFrame, LLMTextFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMAssistantAggregator
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.utils.text.simple_text_aggregator import SimpleTextAggregator
from pipecat.workers.runner import WorkerRunner
from tell import tell


class Listener(FrameProcessor):
    """Tells each text of the answer as it comes."""

    def __init__(self):
        super().__init__()
        self.heard = asyncio.Event()

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMTextFrame):
            tell(content=frame.text)
            self.heard.set()
        await self.push_frame(frame, direction)


class Voice(FrameProcessor):
    """Tells what is to be said aloud, sentence by sentence, as Pipecat's services for speech put it together."""

    def __init__(self):
        super().__init__()
        self.sentences = SimpleTextAggregator()

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMTextFrame):
            async for sentence in self.sentences.aggregate(frame.text):
                tell(said=sentence.text)
        elif isinstance(frame, LLMFullResponseEndFrame):
            if rest := await self.sentences.flush():
                tell(said=rest.text)
        await self.push_frame(frame, direction)


async def weather(call):
    tell(function=call.function_name, arguments=dict(call.arguments))
    await call.result_callback({"weather": "sunny"})


async def talk(worker, context, listener, turns, has_voice):
    async def ask(text):
        listener.heard.clear()
        context.add_message({"role": "user", "content": text})
        await worker.queue_frame(LLMContextFrame(context))

    async def answered():
        """A turn with text in it is over, and in the history; one that calls functions has none."""
        while not await turns.get():
            pass

    await ask("answer")
    await answered()
    if has_voice:
        tell(over=True)
        await asyncio.Event().wait()
    await ask("call the tools")
    await answered()
    await ask("go on for ever")
    await listener.heard.wait()
    await worker.queue_frame(InterruptionFrame())
    tell(interrupted=True)
    await asyncio.Event().wait()  # the process stays: only the interruption may end the call


async def main(has_voice):
    tool = FunctionSchema("weather", "Tells the weather.", {"place": {"type": "string"}}, ["place"])
    context = LLMContext(tools=ToolsSchema([tool]))
    service = OpenAILLMService(
        api_key=os.environ["OPENAI_API_KEY"],
        base_url=os.environ["OPENAI_BASE_URL"],
        settings=OpenAILLMService.Settings(model="stub-1"),
    )
    service.register_function("weather", weather)
    listener, history = Listener(), LLMAssistantAggregator(context)
    voices = [Voice()] if has_voice else []
    worker = PipelineWorker(Pipeline([service, listener, *voices, history]), enable_rtvi=False)
    started, turns = asyncio.Event(), asyncio.Queue()

    @worker.event_handler("on_pipeline_started")
    async def on_pipeline_started(worker, frame):
        started.set()

    @history.event_handler("on_assistant_turn_stopped")
    async def on_assistant_turn_stopped(aggregator, message):
        await turns.put(message.content)

    async def talk_when_started():
        await started.wait()
        await talk(worker, context, listener, turns, has_voice)

    runner = WorkerRunner()
    await runner.add_workers(worker)
    await asyncio.gather(runner.run(), talk_when_started())


logger.remove()
logger.add(sys.stderr, level="WARNING")
asyncio.run(main(has_voice=sys.argv[1:] == ["voice"]))
