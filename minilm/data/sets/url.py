"""A file from a web address, kept only if it has the SHA-256 that was expected."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import SplitResult, urlsplit

from minilm.data.errors import DataError
from minilm.data.files import CHUNK_BYTES, cache_dir, check_count, is_the_file, make_cache_folder, sha256_of
from minilm.files import atomic_write

# http and urllib.request are imported where they are used: with ssl they would double the time to import this package.
if TYPE_CHECKING:
    from urllib.request import OpenerDirector


def fetch_url(url: str, sha256: str | None, *, timeout: float = 30.0, max_bytes: int = 1 << 30) -> Path:
    """Download `url` (http or https) into the cache and return the path; a file already there is used again.

    `sha256` is the expected hash, 64 hexadecimal digits; the file in the cache is named by it. `timeout` is the
    longest silence of the server in seconds, `max_bytes` the largest file that is accepted. Raises DataError for
    another kind of address, a missing or wrong hash, a file too large, and when the download fails; then nothing is
    kept.
    """
    address = _split(url)
    check_count("max_bytes", max_bytes)
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout < 1e6:
        raise DataError(f"timeout = {timeout!r} must be a number of seconds above 0")
    if address.scheme not in ("http", "https") or not address.netloc:
        raise DataError(f"cannot fetch {url!r}: expected an address that begins with http:// or https://")
    expected = _valid_hash(url, sha256)
    suffix = re.search(r"(?:[.]jsonl)?[.]\w{1,10}$", address.path)  # it tells readers what the file holds
    path = make_cache_folder(cache_dir() / "url") / (expected + (suffix.group() if suffix else ""))
    if not is_the_file(path, expected, max_bytes):
        _download(url, path, expected, timeout, max_bytes)
    return path


def _split(url: str) -> SplitResult:
    if not isinstance(url, str):
        raise DataError(f"cannot fetch {url!r}: an address is a string")
    if not url.isascii():
        raise DataError(f"cannot fetch {url!r}: in an address, characters beyond ASCII are written as %XX")
    try:
        return urlsplit(url)
    except ValueError as error:
        raise DataError(f"cannot fetch {url!r}: it is no web address ({error})") from None


def _valid_hash(url: str, sha256: str | None) -> str:
    if sha256 is None:
        raise DataError(
            f"the file at {url} needs sha256=..., so that a run can be repeated on the same bytes. Download it "
            "once, look at it, compute its hash (sha256sum FILE; on Windows: certutil -hashfile FILE SHA256), pass it."
        )
    if not isinstance(sha256, str) or not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise DataError(f"sha256={sha256!r} is no SHA-256: expected 64 hexadecimal digits")
    return sha256.lower()


def _download(url: str, path: Path, expected: str, timeout: float, max_bytes: int) -> None:
    from http.client import HTTPException
    from urllib.error import URLError
    from urllib.request import Request

    request = Request(url, headers={"User-Agent": "minilm"})
    try:
        with atomic_write(path) as sink:
            with _opener().open(request, timeout=timeout) as response:
                promised = response.length  # None if the server did not say
                received = _copy(url, response, sink, max_bytes)
            if promised is not None and received != promised:
                raise DataError(f"{url} broke off after {received:,} of {promised:,} bytes: try again")
            sink.flush()
            found = sha256_of(sink.name)
            if found != expected:
                raise DataError(
                    f"{url} has changed or is another file ({received:,} bytes); it was not kept.\n"
                    f"    expected SHA-256 {expected}\n    found    SHA-256 {found}"
                )
    except (URLError, HTTPException, OSError) as error:
        raise DataError(
            f"cannot fetch {url}: {getattr(error, 'reason', None) or error}. "
            f"Download it on a machine with a network and pass the path of the file, or put it at {path}"
        ) from error


def _opener() -> "OpenerDirector":
    """An opener for http and https only: the default one would follow a redirect to ftp as well."""
    from urllib import request

    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler(),
        request.UnknownHandler(),
        request.HTTPHandler(),
        request.HTTPSHandler(),
        request.HTTPDefaultErrorHandler(),
        request.HTTPRedirectHandler(),
        request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _copy(url: str, response: BinaryIO, sink: BinaryIO, max_bytes: int) -> int:
    received = 0
    while chunk := response.read(CHUNK_BYTES):
        received += len(chunk)
        if received > max_bytes:
            raise DataError(f"{url} holds more than max_bytes = {max_bytes:,} bytes; it was not kept")
        sink.write(chunk)
    return received
