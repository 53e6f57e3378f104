"""Pipelines that start tasks and forget them: their errors reach the event loop and nobody else, and when is up to them."""

import asyncio
import gc

from stageflow.api import Pipeline, StageContext, StageKind, StageOutput, stage

KEPT = []


async def fails():
    raise RuntimeError("nobody awaits this")


async def forgets(ctx: StageContext) -> StageOutput:
    """Starts a task, lets it fail, and lets go of it at once: the loop is told within this run."""
    task = asyncio.get_running_loop().create_task(fails())
    await asyncio.wait([task])
    del task
    gc.collect()
    return StageOutput.ok(done=True)


async def keeps(ctx: StageContext) -> StageOutput:
    """Starts a task, lets it fail, and keeps it: the loop is told when somebody lets go of it."""
    task = asyncio.get_running_loop().create_task(fails())
    await asyncio.wait([task])
    KEPT.append(task)
    return StageOutput.ok(done=True)


async def waits(ctx: StageContext) -> StageOutput:
    """Is there while another run forgets."""
    await asyncio.sleep(0.2)
    return StageOutput.ok(done=True)


async def lets_go(ctx: StageContext) -> StageOutput:
    """Lets go of what an earlier run has kept."""
    KEPT.clear()
    gc.collect()
    return StageOutput.ok(done=True)


def one(name, body):
    return Pipeline.from_stages(stage(name, body, kind=StageKind.TRANSFORM), name=name)


def forgetting():
    return one("forgets", forgets)


def keeping():
    return one("keeps", keeps)


def waiting():
    return one("waits", waits)


def letting_go():
    return one("lets_go", lets_go)
