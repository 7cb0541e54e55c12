"""The same as writer.cjs, for a language that waits until each line has been taken."""

import json
import os
import sys
import time

folder = os.environ["FOLDER"]
lines = int(os.environ["LINES"])
filling = "x" * 79


def note(name, text):
    path = os.path.join(folder, name)
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)


note("started", str(os.getpid()))
while not os.path.exists(os.path.join(folder, "go")):
    time.sleep(0.005)
started = time.monotonic()
cpu = time.process_time()
for number in range(lines):
    sys.stdout.write(f"{number:09d} {filling} {number:09d}\n")
    sys.stdout.flush()
    if number == lines // 2:
        note("half", "0")
ms = (time.monotonic() - started) * 1000
cpu_ms = (time.process_time() - cpu) * 1000
note("report.json", json.dumps({"ms": ms, "loopMs": ms, "cpuMs": cpu_ms}))
while not os.path.exists(os.path.join(folder, "leave")):
    time.sleep(0.02)
