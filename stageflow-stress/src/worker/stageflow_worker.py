"""Runs Stageflow pipelines for a parent process that talks JSON lines.

Standard library and stageflow only. One object per line: requests on stdin, replies and notifications on what was
stdout when this started. The script reports what happened and judges nothing: right and wrong are the caller's.
"""

import asyncio
import contextvars
import copy
import faulthandler
import importlib
import json
import logging
import math
import os
import platform
import signal
import sys
import threading
import time
import traceback
import weakref

PROTOCOL = 1
# What the package has a facility for that this script drives, in the words of the room `engine`.
CAPABILITIES = [
    *("retry", "back-off", "cancel", "abandon", "stage time-out", "runs of one graph", "idempotency"),
    *("look-up by key", "tools", "approval", "guard retry", "interceptors", "events", "back-pressure", "logs"),
    *("sub-pipelines", "clean-up", "contracts", "snapshot", "snapshot round trip", "validation"),
]
RUN = contextvars.ContextVar("stageflow_worker_run", default=None)
PIPELINES = {}
# Turns of the loop that a task cancelled by the engine gets before it counts as alive at the end.
SETTLE_TURNS = 5
EFFECT_LOGGER = "stageflow_stress.effect"
# What these write is not the target's.
FOREIGN_LOGGERS = {"asyncio", "py.warnings", "concurrent.futures", "stageflow_worker"}
# Records that a report carries one by one; all of them are counted and streamed.
MOST_LOGS = 500


# --- The wire ---------------------------------------------------------------------------------------------------


class Wire:
    """Writes one line per object and flushes it, so that a line that was written survives whatever comes next."""

    def __init__(self):
        # Whatever the target prints to fd 1 from here on lands on stderr, C libraries and child processes included.
        self.out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self.lock = threading.Lock()

    def send(self, message):
        line = encode(message)
        with self.lock:
            try:
                self.out.write(line + b"\n")
                self.out.flush()
            except (BrokenPipeError, ValueError):
                os._exit(0)


def encode(value):
    try:
        return json.dumps(value, default=plain, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, TypeError, RecursionError):
        return json.dumps(plain(value), allow_nan=False, ensure_ascii=False).encode()


def plain(value, depth=0):
    """The nearest JSON of any object: never raises, never loses a key."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, str):
        return str.__str__(value).encode("utf-8", "backslashreplace").decode()
    if depth > 40:
        return "…"
    try:
        if isinstance(value, dict):
            return {str(plain(str(k), depth + 1)): plain(v, depth + 1) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(item, depth + 1) for item in value]
        if isinstance(value, (set, frozenset)):
            return [plain(item, depth + 1) for item in sorted(value, key=repr)]
        return plain(repr(value), depth + 1)
    except Exception as exc:
        return f"<{type(value).__name__} without a readable form: {type(exc).__name__}>"


def freeze(value):
    """A copy that later changes of `value` do not reach."""
    try:
        return copy.deepcopy(value)
    except Exception:
        return plain(value)


class LogTap(logging.Handler):
    """Sends every record with everything that was attached to it."""

    STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

    def __init__(self, wire):
        super().__init__()
        self.wire = wire

    def emit(self, record):
        run = RUN.get()
        try:
            message = record.getMessage()
        except Exception:
            message = f"{record.msg} {record.args!r}"
        fields = {k: v for k, v in record.__dict__.items() if k not in self.STANDARD}
        if record.exc_info and record.exc_info[0] is not None:
            fields["exception"] = "".join(traceback.format_exception(*record.exc_info))
        if run is not None:
            run.saw_log(record.levelname, fields)
            if record.name == EFFECT_LOGGER:
                run.effect(message, fields.get("stage"))
            elif record.name not in FOREIGN_LOGGERS and len(run.logs) < MOST_LOGS:
                run.logs.append(
                    {"level": record.levelname, "logger": record.name, "message": message, "fields": plain(fields)}
                )
        if run is None or run.stream_logs:
            self.wire.send(
                {
                    "n": "log",
                    "run": run and run.id,
                    "level": record.levelname,
                    "logger": record.name,
                    "message": message,
                    "time": record.created,
                    "fields": fields,
                }
            )


class Sink:
    """An event sink with the signature that stageflow.events.EventSink declares."""

    def __init__(self, run):
        self.run = run

    async def emit(self, *, type, data):
        self.run.event(type, data)

    def try_emit(self, *, type, data):
        self.run.event(type, data)


# --- What one run did -------------------------------------------------------------------------------------------


class Stage:
    """What the body of one stage saw and did, on its last attempt where it says nothing else."""

    def __init__(self, name):
        self.name = name
        self.attempts = 0
        self.started_ms = None
        self.attempt_starts_ms = []
        self.ended_ms = None
        self.returned = None
        self.returned_data = None
        self.raised = None
        self.error = None
        self.seen = {}

    def report(self, output):
        if output is not None:
            status = output.status.value
        elif self.attempts == 0:
            status = "pending"
        elif self.ended_ms is None:
            status = "running"
        else:
            status = self.returned or ("stopped" if self.raised == "CancelledError" else "fail")
        return {
            "name": self.name,
            "status": status,
            "reported": output is not None,
            "attempts": self.attempts,
            "started_ms": self.started_ms,
            "attempt_starts_ms": self.attempt_starts_ms,
            "ended_ms": self.ended_ms,
            "returned": self.returned,
            "raised": self.raised,
            "data": None if output is None else output.data,
            "returned_data": self.returned_data,
            "seen": self.seen,
            "error": (output.error if output is not None else None) or self.error,
        }


class Run:
    def __init__(self, id, names, wire, stream):
        self.id = id
        self.wire = wire
        self.stream_logs = stream.get("logs", True)
        self.stream_events = stream.get("events", True)
        self.stream_stages = stream.get("stages", True)
        self.stages = {name: Stage(name) for name in names}
        self.effects = []
        self.events = []
        self.loop_errors = []
        self.log_counts = {}
        self.logs = []
        self.tool_calls = {}
        # Called at the first start and the first end of each stage.
        self.on_moment = None
        self.tasks = weakref.WeakSet()
        self.task_ids = set()
        self.ended = False
        # Whether its report has been made: what comes later is told on its own.
        self.reported = False
        self.t0 = time.perf_counter()

    def now(self):
        return (time.perf_counter() - self.t0) * 1000.0

    def moment(self, at, stage):
        if self.on_moment is not None:
            self.on_moment(at, stage)

    def saw_log(self, level, fields):
        for key in (f"level:{level}", f"event:{fields['event']}" if "event" in fields else None):
            if key:
                self.log_counts[key] = self.log_counts.get(key, 0) + 1

    def effect(self, name, stage):
        entry = {"name": name, "stage": stage, "at_ms": self.now(), "after_end": self.ended}
        self.effects.append(entry)
        self.note({"n": "effect", "run": self.id, **entry})

    def event(self, name, data):
        entry = {"name": name, "data": freeze(data)}
        self.events.append(entry)
        if self.stream_events:
            self.wire.send({"n": "event", "run": self.id, **entry})

    def note(self, message):
        if self.stream_stages:
            self.wire.send(message)

    async def observe(self, name, body, ctx):
        """Runs a body once, and writes down what it did at the moment of doing it."""
        from stageflow.api import StageOutput

        stage = self.stages.setdefault(name, Stage(name))
        stage.attempts += 1
        stage.started_ms = self.now() if stage.started_ms is None else stage.started_ms
        stage.attempt_starts_ms.append(self.now())
        stage.ended_ms = stage.returned = stage.returned_data = stage.raised = stage.error = None
        mark = {"n": "stage", "run": self.id, "stage": name, "attempt": stage.attempts}
        self.note({**mark, "at": "start", "at_ms": self.now()})
        self.moment("start", name)
        try:
            output = await body(ctx)
        except BaseException as exc:
            stage.raised, stage.error = type(exc).__name__, str(exc)
            stage.ended_ms = self.now()
            self.note({**mark, "at": "end", "raised": stage.raised, "at_ms": stage.ended_ms})
            self.moment("end", name)
            raise
        if isinstance(output, StageOutput):
            stage.returned, data, stage.error = output.status.value, output.data, output.error
        else:
            stage.returned, data = "ok", output or {}
        stage.returned_data = freeze(data)
        stage.ended_ms = self.now()
        self.note({**mark, "at": "end", "status": stage.returned, "at_ms": stage.ended_ms})
        self.moment("end", name)
        return output

    def alive(self):
        me = asyncio.current_task()
        return [task for task in self.tasks if task is not me and not task.done()]


def task_names(tasks):
    return sorted(getattr(t.get_coro(), "__name__", type(t.get_coro()).__name__) for t in tasks)


# --- Pipelines --------------------------------------------------------------------------------------------------


async def behave(run, scene, spec, attempt, ctx):
    """The body of a stage that is given as data."""
    from stageflow.api import StageOutput

    name = scene.path + spec["name"]
    if spec.get("cleanup"):
        scene.on_cleanup(spec["cleanup"], name)
    if spec["sleep_ms"]:
        await asyncio.sleep(spec["sleep_ms"] / 1000)
    if spec.get("effect"):
        run.effect(spec["effect"], name)
    do = spec["behavior"]
    what = do["do"]
    after = spec["after"]
    if what in READERS:
        seen = {dep: ctx.inputs.get_output(dep) for dep in after}
        run.stages[name].seen = {d: freeze(o.data) for d, o in seen.items() if o is not None}

    if what == "const":
        return promised(spec, freeze(do["data"]))
    if what == "echo":
        merged = {}
        for dep in sorted(after):
            output = ctx.inputs.get_output(dep)
            merged.update(freeze(output.data) if output else {})
        return StageOutput.ok(merged)
    if what == "sum":
        return StageOutput.ok({"sum": sum(ctx.inputs.get_from(d, do["key"], default=0) for d in after)})
    if what == "increment":
        return StageOutput.ok({"value": sum(ctx.inputs.get_from(d, "value", default=0) for d in after) + 1})
    if what == "append":
        items = ctx.inputs.require_from(after[0], do["key"])
        items.append(do["item"])
        return StageOutput.ok({do["key"]: items})
    if what == "append_copy":
        return StageOutput.ok({do["key"]: [*ctx.inputs.require_from(after[0], do["key"]), do["item"]]})
    if what == "read":
        return StageOutput.ok({do["key"]: ctx.inputs.get(do["key"])})
    if what == "input":
        return StageOutput.ok({do["key"]: freeze(ctx.snapshot.metadata.get(do["key"]))})
    if what == "fail":
        return StageOutput.fail(do["message"])
    if what == "fail_if":
        down = ctx.snapshot.metadata.get(do["key"]) is True
        return StageOutput.fail(f"{do['key']} is set") if down else StageOutput.ok({})
    if what == "panic":
        raise RuntimeError(do["message"])
    if what == "flaky":
        if attempt > do["failures"]:
            return StageOutput.ok({"attempt": attempt})
        return fail_once(do["how"], f"attempt {attempt} fails")
    if what == "skip":
        return StageOutput.skip(do["reason"])
    if what == "cancel":
        return StageOutput.cancel(do["reason"])
    if what == "retry":
        return StageOutput.retry(do["message"])
    if what == "block":
        time.sleep(do["ms"] / 1000)
        return StageOutput.ok({})
    if what == "tool":
        error = await scene.call_tool(do["name"], ctx)
        return StageOutput.fail(error) if error else StageOutput.ok({"tool": do["name"]})
    if what == "sub":
        return await scene.run_child(do["pipeline"], spec["name"], ctx)
    raise Unsupported(f"the behavior {what}")


READERS = {"echo", "sum", "increment", "append", "append_copy", "read"}
BEHAVIORS = READERS | {
    *("const", "input", "fail", "fail_if", "panic", "flaky", "skip", "cancel", "retry", "block", "tool", "sub"),
}


def fail_once(how, message):
    from stageflow.api import StageOutput

    if how == "fail":
        return StageOutput.fail(message)
    if how == "retry":
        return StageOutput.retry(message)
    if how == "permanent":
        raise ValueError(message)
    # Both types are retryable by the default of the package's RetryInterceptor.
    raise (TimeoutError if how == "timeout" else ConnectionError)(message)


def promised(spec, data):
    """Data as an output, through the package's typed output where the stage promises something."""
    from stageflow.api import StageOutput

    if not spec.get("returns"):
        return StageOutput.ok(data)
    from typing import Optional

    from pydantic import ConfigDict, StrictBool, StrictFloat, StrictInt, StrictStr, create_model
    from stageflow.contracts.typed_output import TypedStageOutput

    types = {
        "text": StrictStr,
        "integer": StrictInt,
        "number": StrictInt | StrictFloat,
        "boolean": StrictBool,
        "list": list,
        "object": dict,
    }
    fields = {}
    for field in spec["returns"]:
        kind = types[field["is"]]
        fields[field["key"]] = (Optional[kind], None) if field.get("optional") else (kind, ...)
    model = create_model("Promise", __config__=ConfigDict(extra="allow"), **fields)
    TypedStageOutput(model).validate(data)
    return StageOutput.ok(data)


class Unsupported(Exception):
    pass


def check_spec(spec, options):
    """Refuses what the package has no facility for, instead of running something else."""
    for one in spec["stages"]:
        if one["behavior"]["do"] not in BEHAVIORS:
            raise Unsupported(f"the behavior {one['behavior']['do']}")
        if one.get("when"):
            raise Unsupported("a condition on a value: stages are conditional on a skip reason")
        if one["behavior"]["do"] == "sub":
            check_spec(one["behavior"]["pipeline"], {})
    if any(tool.get("timeout_ms") for tool in spec.get("tools", ())):
        raise Unsupported("a deadline of a tool")
    if options.get("breaker"):
        raise Unsupported("a breaker with figures of one's own")
    if options.get("undo_on_failure"):
        raise Unsupported("an undo that the engine calls")


class Scene:
    """A built graph of a pipeline that is given as data. Its runs share it; which of them a stage works for is known by
    the context variable."""

    def __init__(self, spec, options, path=""):
        from stageflow.api import Pipeline, stage

        self.spec = spec
        self.path = path
        self.tools = {tool["name"]: tool for tool in spec.get("tools", ())}
        self.options = options
        declared = []
        for one in spec["stages"]:

            async def runner(ctx, one=one):
                run = RUN.get()
                name = self.path + one["name"]

                async def body(ctx):
                    return await behave(run, self, one, run.stages[name].attempts, ctx)

                return await run.observe(name, body, ctx)

            declared.append(stage(one["name"], runner, one["kind"].lower(), tuple(one["after"])))
        self.pipeline = Pipeline.from_stages(*declared, name=spec["name"])
        self.graph = self.pipeline.build(
            interceptors=interceptors_for(options), guard_retry_strategy=guard_retries(spec)
        )

    def on_cleanup(self, effect, stage):
        run = RUN.get()

        async def cleanup():
            run.effect(effect, stage)

        self.graph.register_cleanup(cleanup, name=effect)

    async def call_tool(self, name, ctx):
        """Calls a tool through the package's executor; returns the error's text, if there is one."""
        from types import SimpleNamespace
        from uuid import uuid4

        from stageflow.tools.approval import ApprovalService
        from stageflow.tools.definitions import ToolDefinition, ToolOutput
        from stageflow.tools.executor_v2 import AdvancedToolExecutor, ToolExecutorConfig

        run = RUN.get()
        answers = run.options.get("approvals") or {}

        class Approvals(ApprovalService):
            async def request_approval(self, *args, **kwargs):
                request = await super().request_approval(*args, **kwargs)
                if request.tool_name in answers:
                    await self.record_decision(request.id, granted=answers[request.tool_name])
                return request

        executor = AdvancedToolExecutor(
            ToolExecutorConfig(approval_timeout_seconds=0.05), approval_service=Approvals()
        )
        for tool in self.tools.values():

            async def handler(_input, tool=tool):
                calls = run.tool_calls[tool["name"]] = run.tool_calls.get(tool["name"], 0) + 1
                if tool.get("sleep_ms"):
                    await asyncio.sleep(tool["sleep_ms"] / 1000)
                if tool.get("effect"):
                    run.effect(tool["effect"], None)
                if calls <= tool.get("failures", 0):
                    raise RuntimeError(f"call {calls} fails")
                return ToolOutput(success=True, data={})

            executor.register(
                ToolDefinition(
                    name=tool["name"],
                    action_type=tool["name"],
                    handler=handler,
                    requires_approval=tool.get("needs_approval", False),
                )
            )
        try:
            await executor.execute(SimpleNamespace(id=uuid4(), type=name, payload={}), ctx)
        except Exception as exc:
            return f"{type(exc).__name__}: {exc}"
        return None

    async def run_child(self, spec, parent, ctx):
        """Runs another pipeline through the package's spawner."""
        from uuid import uuid4

        from stageflow.api import StageOutput
        from stageflow.pipeline.subpipeline import get_subpipeline_spawner

        child = Scene(spec, {}, f"{self.path}{parent}/")
        spawned = await get_subpipeline_spawner().spawn(
            spec["name"],
            ctx.as_pipeline_context(),
            correlation_id=uuid4(),
            parent_stage_id=parent,
            runner=child.graph.run,
        )
        if not spawned.success:
            return StageOutput.fail(spawned.error or "the child did not succeed")
        outputs = spawned.data.get("result", spawned.data) if spawned.data else {}
        return StageOutput.ok({"child": {name: output.data for name, output in outputs.items()}})


def guard_retries(spec):
    retries = spec.get("guard_retries")
    if not retries:
        return None
    from stageflow.pipeline.guard_retry import GuardRetryPolicy, GuardRetryStrategy

    # Stagnation is another limit than the one that is asked for.
    policies = {
        one["guard"]: GuardRetryPolicy(
            retry_stage=one["retry_stage"],
            max_attempts=one["max_attempts"],
            stagnation_limit=one["max_attempts"] + 1,
        )
        for one in retries
    }
    return GuardRetryStrategy(policies=policies)


def watched(pipeline, run):
    """A copy of a user's pipeline whose stages are observed; they are made and called as Pipeline.build() does it."""
    from dataclasses import replace

    def wrap(spec):
        async def body(ctx):
            made = spec.runner(**spec.config) if isinstance(spec.runner, type) else spec.runner
            return await (made.execute(ctx) if hasattr(made, "execute") else made(ctx))

        async def runner(ctx):
            return await run.observe(spec.name, body, ctx)

        return replace(spec, runner=runner, config={})

    return replace(pipeline, stages={name: wrap(spec) for name, spec in pipeline.stages.items()})


def interceptors_for(options):
    attempts = options.get("max_attempts", 1)
    hooks = options.get("interceptors") or []
    if attempts <= 1 and not hooks:
        return None
    from stageflow.pipeline.interceptors import get_default_interceptors
    from stageflow.pipeline.retry import JitterStrategy, RetryInterceptor

    chain = get_default_interceptors()
    if attempts > 1:
        first = options.get("backoff_ms") or 5
        chain.append(
            RetryInterceptor(
                max_attempts=attempts,
                base_delay_ms=first,
                max_delay_ms=options.get("max_backoff_ms") or 30_000,
                jitter_strategy=JitterStrategy.NONE,
            )
        )
    # Lower is outer; the package's own end at 50.
    chain.extend(hook(one, 60 + at) for at, one in enumerate(hooks))
    return chain


def hook(spec, order):
    """An interceptor that is given as data."""
    from datetime import UTC, datetime

    from stageflow.pipeline.interceptors import BaseInterceptor, InterceptorResult
    from stageflow.stages.result import StageResult

    class Hook(BaseInterceptor):
        name = spec["name"]
        priority = order

        def act(self, when, stage):
            if spec.get("on") not in (None, stage):
                return None
            RUN.get().effect(f"{spec['name']} {when} {stage}", None)
            do = spec.get(when) or {"do": "pass"}
            if do["do"] == "raise":
                raise RuntimeError(do["message"])
            return do.get("data")

        async def before(self, stage_name, ctx):
            data = self.act("before", stage_name)
            if data is None:
                return None
            now = datetime.now(UTC)
            answer = StageResult(name=stage_name, status="completed", started_at=now, ended_at=now, data=data)
            return InterceptorResult(stage_ran=False, result=answer)

        async def after(self, stage_name, _result, _ctx):
            self.act("after", stage_name)

    return Hook()


def context_of(run, options, sink):
    from stageflow.context.context_snapshot import ContextSnapshot
    from stageflow.stages.context import PipelineContext

    data = {}
    if options.get("idempotency_key") is not None:
        data["idempotency_key"] = options["idempotency_key"]
    if run.timeout_ms is not None:
        data["_timeout_ms"] = run.timeout_ms
    # The identities are those of Pipeline.run(..), which passes on what it is given.
    ctx = PipelineContext.create(
        event_sink=sink,
        input_text=options.get("input_text"),
        metadata=freeze(options.get("data") or {}),
        topology=run.name,
        data=data,
    )
    if options.get("round_trip"):
        written = json.dumps(ctx.to_snapshot().to_dict())
        snapshot = ContextSnapshot.from_dict(json.loads(written))
        ctx = PipelineContext.from_snapshot(snapshot, event_sink=sink, data=data)
    return ctx


class SlowSink(Sink):
    """A sink that takes its time and refuses as often as told."""

    def __init__(self, run, spec):
        super().__init__(run)
        self.delay = spec["delay_ms"] / 1000
        self.failures = spec.get("failures", 0)

    async def emit(self, *, type, data):
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.failures > 0:
            self.failures -= 1
            raise RuntimeError("not now")
        self.run.event(type, data)


async def run_pipeline(request, wire):
    options = request.get("options") or {}
    spec = request.get("spec")
    if spec is not None:
        check_spec(spec, options)
        run = Run(request["id"], [one["name"] for one in spec["stages"]], wire, request.get("stream") or {})
        return await play(run, options, lambda: Scene(spec, options).graph, spec)
    name = request["pipeline"]
    if name not in PIPELINES:
        raise KeyError(f"no pipeline named {name!r} is loaded; load it first")
    run = Run(request["id"], list(PIPELINES[name].stages), wire, request.get("stream") or {})
    made = lambda: watched(PIPELINES[name], run).build(interceptors=interceptors_for(options))
    return await play(run, options, made, None)


async def run_all(request, wire):
    """Several runs of one graph, at once or in turn."""
    spec, each = request["spec"], request["runs"]
    for options in each:
        check_spec(spec, options)
    scene = []

    def graph():
        # The first run builds it, so that an error of the build is the error of every run.
        if not scene:
            scene.append(Scene(spec, each[0]))
        return scene[0].graph

    async def one(options):
        names = [one["name"] for one in spec["stages"]]
        run = Run(request["id"], names, wire, request.get("stream") or {})
        return await play(run, options, graph, spec)

    if request["overlap"] == "in_turn":
        return [await one(options) for options in each]
    # A task for each, so that each has a context variable of its own.
    return await asyncio.gather(*(asyncio.ensure_future(one(options)) for options in each))


def deadline_of(spec):
    """The package has one deadline for all stages of a run."""
    given = [one["timeout_ms"] for one in (spec or {"stages": ()})["stages"] if one.get("timeout_ms")]
    return min(given, default=None)


async def play(run, options, make_graph, spec):
    """One run, from its beginning to the end of its grace window."""
    from stageflow.events import BackpressureAwareEventSink
    from stageflow.pipeline.dag import UnifiedPipelineCancelled

    await asyncio.sleep(options.get("start_after_ms", 0) / 1000)
    run.options, run.timeout_ms, run.name = options, deadline_of(spec), (spec or {}).get("name")
    RUNS.add(run)
    token = RUN.set(run)
    end, error, results, ctx, cpu = "ok", None, {}, None, None
    queue = None
    sink = Sink(run)
    try:
        graph = make_graph()
        if options.get("sink"):
            slow = SlowSink(run, options["sink"])
            queue = sink = BackpressureAwareEventSink(slow, max_queue_size=options["sink"]["capacity"])
            # Its worker is not the run's: it lives until it is stopped.
            outside = RUN.set(None)
            await queue.start()
            RUN.reset(outside)
        ctx = context_of(run, options, sink)
        run.t0, cpu = time.perf_counter(), time.process_time()
        results = await driven(run, options, graph.run(ctx), ctx)
    except UnifiedPipelineCancelled as exc:
        end, error, results = "cancelled", exc, exc.results
    except asyncio.CancelledError as exc:
        end, error = "cancelled", exc
    except TimeoutError as exc:
        end, error = ("timeout" if options.get("timeout_ms") is not None else "error"), exc
    except Exception as exc:
        end, error = "error", exc
    run.ended = True
    wall = run.now()
    cpu = None if cpu is None else (time.process_time() - cpu) * 1000.0
    run.on_moment = None

    for _ in range(SETTLE_TURNS):
        await asyncio.sleep(0)
    at_end = task_names(run.alive())
    delivery = None
    if queue is not None:
        try:
            await queue.stop(drain=True)
        except Exception as exc:
            # What is lost by it shows in the counts.
            logging.getLogger("stageflow_worker").error("stopping the event queue raised %r", exc)
            if queue._worker_task is not None:
                queue._worker_task.cancel()
        told = queue.metrics
        # What it took and did not drop it claims to deliver.
        delivery = {
            "emitted": told.emitted + told.dropped,
            "delivered": told.emitted,
            "dropped": told.dropped,
            "failed": 0,
        }
    await asyncio.sleep(options.get("grace_ms", 200) / 1000)
    left = run.alive()
    after_grace = task_names(left)
    stages = [stage.report(results.get(name)) for name, stage in run.stages.items()]
    report = {
        "end": end,
        "error": describe(error),
        "error_type": error and type(error).__name__,
        "wall_ms": wall,
        "cpu_ms": cpu,
        # A copy as of now: what is cancelled below must not show in it.
        "stages": freeze(stages),
        "effects": list(run.effects),
        "events": list(run.events),
        "tasks_at_end": at_end,
        "tasks_after_grace": after_grace,
        "loop_errors": list(run.loop_errors),
        "log_counts": dict(run.log_counts),
        "logs": list(run.logs),
        "run_id": None if ctx is None or ctx.pipeline_run_id is None else str(ctx.pipeline_run_id),
        "sink": delivery,
        "snapshot": None if ctx is None else freeze(dict(ctx.metadata)),
    }
    run.reported = True
    # The next run starts clean.
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=1)
    RUN.reset(token)
    return report


async def driven(run, options, call, ctx):
    """Awaits a run as its caller does: with a deadline, and with what ends it from outside."""
    interrupt = options.get("interrupt")
    if interrupt is None:
        timeout = options.get("timeout_ms")
        return await (call if timeout is None else asyncio.wait_for(call, timeout / 1000))
    task = asyncio.ensure_future(call)

    def end():
        if interrupt["how"] == "cancel":
            ctx.mark_canceled("cancelled from outside")
        else:
            task.cancel()

    when = interrupt["when"]
    if when["at"] == "after":
        timer = asyncio.get_running_loop().call_later(when["ms"] / 1000, end)
        task.add_done_callback(lambda _: timer.cancel())
    else:
        run.on_moment = lambda at, stage: end() if (at, stage) == (when["at"], when["stage"]) else None
    return await task


def describe(error):
    if error is None:
        return None
    lines = [str(error) or type(error).__name__]
    cause = getattr(error, "original", None) or error.__cause__
    if cause is not None and cause is not error:
        lines.append(f"caused by {type(cause).__name__}: {cause}")
    return "; ".join(lines)


# --- Requests ---------------------------------------------------------------------------------------------------


def hello():
    answer = {"capabilities": CAPABILITIES, "protocol": PROTOCOL, "python": platform.python_version(), "executable": sys.executable, "pid": os.getpid()}
    try:
        import stageflow.api  # noqa: F401
        from importlib.metadata import version

        answer["stageflow"] = version("stageflow-core")
    except Exception as exc:
        answer["stageflow"] = None
        answer["import_error"] = f"{type(exc).__name__}: {exc}"
    return answer


def load(request):
    found = getattr(importlib.import_module(request["module"]), request["attr"])
    if not hasattr(found, "stages") and callable(found):
        found = found()
    if not hasattr(found, "stages") or not hasattr(found, "run"):
        raise TypeError(f"{request['module']}.{request['attr']} is a {type(found).__name__}, not a stageflow Pipeline")
    PIPELINES[request.get("as") or request["attr"]] = found
    return {"stages": list(found.stages)}


async def answer(request, wire, stop):
    id, op = request.get("id"), request.get("op")
    try:
        if op == "ping":
            result = {}
        elif op == "hello":
            result = hello()
        elif op == "load":
            result = load(request)
        elif op == "run":
            result = await run_pipeline(request, wire)
        elif op == "run_all":
            result = await run_all(request, wire)
        elif op == "shutdown":
            result = {}
            stop.set()
        else:
            raise Unsupported(f"the operation {op}")
        wire.send({"id": id, "ok": True, "result": result})
    except Exception as exc:
        error = {"type": type(exc).__name__, "message": str(exc), "trace": traceback.format_exc()}
        wire.send({"id": id, "ok": False, "error": error})


def dump_tasks(loop):
    """Writes the stack of every task to stderr. Called while the loop may be blocked, so from another thread."""
    try:
        for task in sorted(asyncio.all_tasks(loop), key=lambda t: t.get_name()):
            task.print_stack(file=sys.stderr)
    except Exception as exc:
        print(f"stacks of tasks could not be read: {exc!r}", file=sys.stderr)
    sys.stderr.flush()


def read_requests(loop, wire, stop, running):
    for line in sys.stdin.buffer:
        try:
            request = json.loads(line)
        except ValueError as exc:
            wire.send({"id": None, "ok": False, "error": {"type": "ValueError", "message": f"not JSON: {exc}"}})
            continue
        if request.get("op") == "dump":
            dump_tasks(loop)
            continue

        def start(request=request):
            task = loop.create_task(answer(request, wire, stop))
            running.add(task)
            task.add_done_callback(running.discard)

        loop.call_soon_threadsafe(start)
    # The parent is gone. A loop that is blocked cannot hear of it.
    loop.call_soon_threadsafe(stop.set)
    time.sleep(1)
    os._exit(0)


def make_task(loop, coro, **kwargs):
    task = asyncio.Task(coro, loop=loop, **kwargs)
    context = kwargs.get("context")
    run = RUN.get() if context is None else context.get(RUN)
    # The identity of a task that is gone may be given again.
    for other in RUNS:
        other.task_ids.discard(id(task))
    if run is not None:
        run.tasks.add(task)
        run.task_ids.add(id(task))
    return task


def loop_error(loop, context):
    text = context.get("message", "")
    if "exception" in context:
        text += f": {context['exception']!r}"
    task = context.get("task") or context.get("future")
    if not isinstance(task, asyncio.Task):
        run = RUN.get()
    else:
        # A task that nobody awaited tells when it is collected, which may be within a later run: its own run has it, or none that
        # is still there. Weak references to it are gone by then, and its identity is not given to another before.
        run = next((r for r in list(RUNS) if id(task) in r.task_ids), None)
    if run is not None and not run.reported:
        run.loop_errors.append(text)
    else:
        WIRE.send({"n": "late_error", "run": run and run.id, "message": text})
    loop.default_exception_handler(context)


RUNS = weakref.WeakSet()
WIRE = None


async def serve(wire):
    global WIRE
    WIRE = wire
    loop = asyncio.get_running_loop()
    loop.set_task_factory(make_task)
    loop.set_exception_handler(loop_error)
    stop, running = asyncio.Event(), set()
    threading.Thread(target=read_requests, args=(loop, wire, stop, running), daemon=True).start()
    wire.send({"n": "ready", "protocol": PROTOCOL, "pid": os.getpid(), "dump_signal": dump_signal()})
    await stop.wait()
    await asyncio.sleep(0)


def dump_signal():
    """The signal that makes this process write the stacks of its threads to stderr, even from within a C call."""
    faulthandler.enable(all_threads=True)
    if not hasattr(signal, "SIGUSR1"):
        return None
    faulthandler.register(signal.SIGUSR1, all_threads=True, chain=False)
    return "SIGUSR1"


def main():
    wire = Wire()
    sys.stdout = sys.stderr
    root = logging.getLogger()
    root.addHandler(LogTap(wire))
    root.setLevel(os.environ.get("STAGEFLOW_WORKER_LOG", "INFO").upper())
    logging.captureWarnings(True)
    asyncio.run(serve(wire))
    # Threads that a target left behind must not keep the process.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
