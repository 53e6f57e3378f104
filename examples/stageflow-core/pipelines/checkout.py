"""A small pipeline of this project: price a cart, reserve the goods, write a receipt."""

import logging

from stageflow.api import Pipeline, StageContext, StageKind, StageOutput, stage

effects = logging.getLogger("stageflow_stress.effect")

PRICES = {"apple": 30, "bread": 250}


class Price:
    """Prices every line; an article without a price fails the stage."""

    name = "price"
    kind = StageKind.TRANSFORM

    async def execute(self, ctx: StageContext) -> StageOutput:
        cart = dict(item.split("*") for item in (ctx.snapshot.input_text or "").split())
        unknown = sorted(set(cart) - set(PRICES))
        if unknown:
            return StageOutput.fail(f"no price for {', '.join(unknown)}")
        return StageOutput.ok(total=sum(PRICES[name] * int(count) for name, count in cart.items()), lines=len(cart))


class Reserve:
    """Takes the goods from stock: a side effect."""

    name = "reserve"
    kind = StageKind.WORK

    async def execute(self, ctx: StageContext) -> StageOutput:
        # A line of this logger is an effect: the worker reports when it happened, and whether the run was over.
        effects.info("reserved", extra={"stage": self.name})
        return StageOutput.ok(reserved=ctx.inputs.get_from("price", "lines"))


async def receipt(ctx: StageContext) -> StageOutput:
    return StageOutput.ok(text=f"{ctx.inputs.get_from('price', 'total')} cents")


def checkout() -> Pipeline:
    return Pipeline.from_stages(
        stage("price", Price),
        stage("reserve", Reserve, after="price"),
        stage("receipt", receipt, kind=StageKind.TRANSFORM, dependencies=("price", "reserve")),
        name="checkout",
    )
