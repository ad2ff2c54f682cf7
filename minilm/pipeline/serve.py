"""What another process of this machine runs: parts of stages, until its input ends."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import traceback
from typing import Any

from minilm.data.errors import DataError
from minilm.pipeline.stages import run_part
from minilm.text import TokenizerError


def main() -> None:
    """Each line of input names a part (`stages.run_part`), each is answered by a line: what is printed meanwhile goes to the errors."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # such a signal may reach all processes: the first one decides
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    with io.FileIO(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        for line in sys.stdin.buffer:
            try:
                answers.write(json.dumps(_answer(*json.loads(line))).encode() + b"\n")
            except BrokenPipeError:  # who asked is gone
                return


def _answer(folder: str, stage: str, part: int) -> dict[str, Any]:
    try:
        run_part(folder, stage, part)
    except (DataError, TokenizerError) as error:
        return {"message": str(error)}
    except OSError as error:
        return {"errno": error.errno, "message": error.strerror, "file": os.fsdecode(error.filename or "")}
    except MemoryError:
        return {"message": "memory ran out: use fewer --processes, or a smaller --max-bytes"}
    except Exception:
        return {"message": f"part {part} of the stage {stage} failed:\n{traceback.format_exc()}"}
    return {"part": part}


__all__ = ["main"]
