"""Run a command from a small process and write what it cost: `python -m mocaplift.evaluate.launch RESULT COMMAND`.

Linux counts to a process's peak memory what its parent held when it started it. So the parent must be small, and
this one imports nothing.
"""

import json
import os
import signal
import subprocess
import sys
import time


def main(result: str, command: list[str]) -> None:
    """Run the command to its end; write seconds, status and peak memory (as the system counts it) as JSON."""
    begun = time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: child.kill())
    try:
        _, status, usage = os.wait4(child.pid, 0)
    except BaseException:
        child.kill()
        raise
    facts = {"seconds": time.perf_counter() - begun, "status": status, "maxrss": usage.ru_maxrss}
    with open(result, "w", encoding="utf-8") as file:
        json.dump(facts, file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
