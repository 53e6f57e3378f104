"""A target that is no Stageflow: the protocol by hand, and several ways of breaking it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time


def send(**message):
    print(json.dumps(message), flush=True)


mode = sys.argv[1] if len(sys.argv) > 1 else ""
if mode == "dumps":
    import faulthandler

    faulthandler.register(signal.SIGUSR1, all_threads=True)
    send(n="ready", dump_signal="SIGUSR1")
else:
    send(n="ready")
if mode == "garbage":
    print("Welcome to the target!", flush=True)

for line in sys.stdin:
    request = json.loads(line)
    id, op = request.get("id"), request["op"]
    if op in ("ping", "echo"):
        send(id=id, ok=True, result=request.get("value"))
    elif op == "later":

        def later(id=id, request=request):
            time.sleep(request["seconds"])
            send(id=id, ok=True, result=request["value"])

        threading.Thread(target=later, daemon=True).start()
    elif op == "log":
        send(n="log", level="WARNING", logger="till", message="out of paper", time=12.5, fields={"roll": 3})
        print("on stderr", file=sys.stderr, flush=True)
        send(id=id, ok=True, result=None)
    elif op == "late_error":
        send(n="late_error", run=request.get("of"), message="nobody took it")
        send(id=id, ok=True, result=None)
    elif op == "exit":
        print("last words", file=sys.stderr, flush=True)
        os._exit(request["code"])
    elif op == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif op == "hang":
        send(n="log", level="INFO", logger="till", message="about to hang")

        def blocked_here():
            time.sleep(600)

        blocked_here()
    elif op == "close":
        os.close(1)
        time.sleep(600)
    elif op == "torn":
        sys.stdout.write('{"id": 1, "ok": tr')
        sys.stdout.flush()
        os._exit(0)
    elif op == "spawn":
        # A grandchild that keeps the streams open.
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        send(id=id, ok=True, result=child.pid)
    elif op == "run":
        name = request["spec"]["stages"][0]["name"]
        send(n="stage", run=id, stage=name, at="start", at_ms=0.5)
        send(n="effect", run=id, name="charged", stage=name, at_ms=0.7, after_end=False)
        if request["spec"]["name"] == "dies":
            os._exit(3)
        send(n="stage", run=id, stage=name, at="end", status="ok", at_ms=1.0)
        send(id=id, ok=True, result={"end": "ok", "wall_ms": 1.0})
    else:
        send(id=id, ok=False, error={"type": "Unsupported", "message": f"the operation {op}"})
