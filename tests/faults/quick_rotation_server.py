"""keyturn whose key rotations wait for nothing: `python tests/faults/quick_rotation_server.py --data DIR --listen …`.

A rotation begins 0.1 s after it was asked for instead of 2 s, is tried again half a second after it failed, and is
taken up after three seconds if its process died.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from keyturn.bootstrap import assembly
from keyturn.bootstrap.runtimes import prepare_process, run, serve
from keyturn.bootstrap.settings import read_settings
from keyturn.engine.jobs import run_jobs, running_job
from keyturn.engine.keys import rewrap

FOLLOWED_AFTER_S = 0.1
HEARTBEAT_S = 1.0
ABANDONED_AFTER_S = 3.0
AGAIN_AFTER_S = (0.5,) * 20


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--listen", required=True)
    given = parser.parse_args()
    vars(rewrap).update(FOLLOWED_AFTER_S=FOLLOWED_AFTER_S)
    vars(running_job).update(HEARTBEAT_S=HEARTBEAT_S)
    vars(run_jobs).update(ABANDONED_AFTER_S=ABANDONED_AFTER_S)
    vars(assembly).update(RewrapDataKeys=partial(rewrap.RewrapDataKeys, delays_s=AGAIN_AFTER_S))
    settings = read_settings(data=given.data, listen=given.listen)
    run(serve(settings, prepare_process(settings)))


if __name__ == "__main__":
    main()
