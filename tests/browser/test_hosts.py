"""The folder ``live`` of the site on hosts of all kinds: below any path, with types that are wrong, and from a file."""

import shutil

import pytest

from tests.browser import driver

pytestmark = [pytest.mark.browser, pytest.mark.host]
PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>A page</title><p>Words</p>'
# What a host sends that has not heard of these; of .js every one has.
WRONG = {
    ".mjs": "text/plain",
    ".wasm": "application/octet-stream",
    ".whl": "text/html",
    ".zip": "text/plain",
    ".py": "text/html",
}
RUN = """async ([folder, code]) => {
    const { session } = await import(`${folder}/live.js`);
    const said = [];
    const done = await session().run(code, (output) => said.push(output.text));
    return [done.ok, said.join("")];
}"""
CODE = "import minilm as ml\nx = ml.tensor([1.0, 2.0], requires_grad=True)\n(x * x).sum().backward()\nprint(x.grad.numpy())\n"
DATA = "print(ml.data.digits()[0].shape, ml.data.mnist_5k()[0].shape)"


@pytest.fixture(scope="module")
def pages(live_folder):
    """A folder of pages beside ``live``, with one of them below."""
    (live_folder.parent / "below").mkdir(exist_ok=True)
    for place in ("index.html", "below/page.html"):
        (live_folder.parent / place).write_text(PAGE, encoding="utf-8")
    return live_folder.parent


def test_python_runs_below_a_path_and_where_the_host_says_wrong_types(pages, open_page):
    with driver.served(pages.parent, WRONG) as address:
        page = open_page(f"{address}/{pages.name}/below/page.html", 390)
        assert page.evaluate(RUN, ["../live", CODE + DATA]) == [True, "[2. 4.]\n(1797, 8, 8) (5000, 28, 28)\n"]


def test_a_file_that_the_host_lacks_is_named(pages, browser, tmp_path):
    """As where a host refuses .whl, which some of Microsoft's do until they are told of it."""
    shutil.copytree(pages, tmp_path / "lacking", ignore=shutil.ignore_patterns("numpy*"))
    with driver.served(tmp_path / "lacking") as address:
        page = driver.opened(browser, f"{address}/index.html")
        told = """async () => {
            const { session } = await import("./live/live.js");
            let words = "";
            session().addEventListener("failed", (event) => (words = event.detail.text));
            return [await session().start(), words];
        }"""
        started, words = page.evaluate(told)
        page.context.close()
    assert started is False
    assert "numpy-2.0.2" in words
    assert "did not come" in words


def test_from_a_file_the_page_is_read_and_runs_nothing(pages, browser):
    """A browser takes no module and no worker from a file."""
    page = driver.opened(browser, pages / "index.html")
    assert page.inner_text("p") == "Words"
    why = page.evaluate("import('./live/live.js').then(() => '', (error) => error.message)")
    assert "Failed to fetch dynamically imported module" in why
    page.context.close()
