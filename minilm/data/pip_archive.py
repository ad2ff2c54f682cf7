"""A program: pip brings one file of a package as it lies in the index, and does nothing with it.

``python pip_archive.py --dest FOLDER NAME FILE``, with any options that `pip download` takes. `pip download` itself runs the
build script of a source package, to learn what that depends on. Here its options and settings, its index and its network
session do the work (index, mirrors, proxy, certificates, passwords are as the user has set them up for pip), and the file
is written as it comes: whoever asks for it verifies it.

It runs in a process of its own, as pip wants it, and imports parts of pip that have no promise to stay. They are the same from
pip 21 to 26; where they are not, the message says so, and the file can be put into the cache by hand.
"""

import logging
import os
import re
import sys
from typing import Any

if __name__ == "__main__":
    sys.path.pop(0)  # the folder of this file, whose modules are none of pip's

from pip._internal.commands.download import DownloadCommand
from pip._internal.exceptions import CommandError
from pip._internal.network.utils import HEADERS, raise_for_status, response_chunks

# Of "HTTPSConnectionPool(...): Max retries ... (Caused by NewConnectionError('<... object>: Failed to ...'))" the end.
_CAUSE = re.compile(r"HTTPS?ConnectionPool\(.*\(Caused by \w+\((?:.*>: )?['\"]?(.*?)['\"]?\)\)$")


class ArchiveCommand(DownloadCommand):
    """`pip download` that stops once the file is here."""

    def run(self, options: Any, args: list[str]) -> int:
        """Write the file `args[1]` of the package `args[0]` into the folder of the option --dest."""
        name, filename = args
        failures = _failures()
        session = self.get_default_session(options)
        finder = self._build_package_finder(options=options, session=session, ignore_requires_python=True)
        links = {candidate.link.filename: candidate.link for candidate in finder.find_all_candidates(name)}
        if filename not in links:
            known = (
                f"the index has {len(links)} other files of {name}" if links else f"the index has no files of {name}"
            )
            raise CommandError("\n".join([*failures, f"there is no {filename}: {known}"]))
        response = session.get(links[filename].url_without_fragment, headers=HEADERS, stream=True)
        raise_for_status(response)
        promised = response.headers.get("content-length")
        with open(os.path.join(options.download_dir, filename), "wb") as file:
            received = sum(file.write(chunk) for chunk in response_chunks(response))
        if promised is not None and received != int(promised):
            raise CommandError(f"{filename} broke off after {received:,} of {int(promised):,} bytes: try again")
        return 0


def _failures() -> list[str]:
    """Why indexes could not be read, filled in while pip asks them: it says so only where it is told to be talkative."""
    failures: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.msg.startswith("Could not fetch URL"):
                failures.append(_CAUSE.sub(r"\1", record.getMessage().removesuffix(" - skipping")))

    logger = logging.getLogger("pip._internal.index.collector")
    logger.addHandler(Handler())
    logger.setLevel(logging.DEBUG)
    return failures


if __name__ == "__main__":
    sys.exit(ArchiveCommand("download", "one file of a package").main(sys.argv[1:]))
