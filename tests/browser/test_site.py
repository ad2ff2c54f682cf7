"""The book's pages as a reader has them: on a phone, a tablet and a screen, light and dark; links, search, and axe-core's rules."""

import collections
import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

import pytest

from tests.browser import driver

pytestmark = [pytest.mark.browser, pytest.mark.host]
FIT = (Path(__file__).parent / "fit.js").read_text(encoding="utf-8")
WIDTHS = (390, 820, 1280)
HIGHEST = 15_000  # pixels at a width of 1,280
# MathJax answers for what is inside a formula, the theme for its search button ("Search", which shows the keys "Ctrl K" too), and
# the tests of the step-through for what is inside that.
WITHIN = {"include": [["body"]], "exclude": [["mjx-container"], [".mlstep"], [".search-button-field"]]}
# axe-core looks at pages of each kind at two widths in both schemes; at the other pages of the top, and at one in three of a chapter's,
# which are built alike, in one of two ways; not at the other pages of code.
TWO = ((390, "dark"), (1280, "light"))
FOUR = (*TWO, (1280, "dark"), (390, "light"))
EACH_KIND = {
    "index.html",
    "search.html",
    "04-mathematics.html",
    "04-mathematics/a-layer-in-indices.html",
    "02-core-concepts/momentum.html",
    "06-applications.html",
    "06-3-questions.html",
    "code/minilm/tensor.html",
    "reference/ops.html",
    "reference/ops/activation.html",
    "reference/ops/normalize/softmax.html",
    "reference/api.html",
    "reference/api/optim/adagrad.html",
}
CHECKED = "01-background/surprise-in-bits.html"  # a page with a formula whose check is folded
TYPESET = "window.MathJax?.startup?.promise?.then(() => 0)"
BROWSERS = 2  # look at pages at the same time


def pages(site):
    """The addresses of the site's pages, below its folder."""
    found = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    return [name for name in found if not name.startswith(("_static/", "_downloads/"))]


def leading(site):
    """Those that only lead on to where their subject stands now."""
    return [name for name in pages(site) if 'http-equiv="refresh"' in (site / name).read_text(encoding="utf-8")[:1000]]


def opened(site):
    """Those that are opened in the browser: of the pages of exercises, bugs and the reference, which are built alike, one in ten; of
    those of code one in thirty.
    """
    shares = {"/exercise-": 10, "/bugs/": 10, "/reference/": 10, "/code/": 30}
    alike = {part: [name for name in pages(site) if part in f"/{name}"] for part in shares}
    others = set(pages(site)).difference(*alike.values()) | EACH_KIND
    return sorted(others.union(*(alike[part][::n] for part, n in shares.items())).difference(leading(site)))


def test_a_page_with_a_step_through_is_small_besides_its_pictures(site):
    texts = {path.name: path.read_text("utf-8") for path in site.glob("*/*.html") if path.parent.name != "code"}
    sizes = {
        name: len(re.sub(r"data:image[^)\"]*", "", text).encode()) for name, text in texts.items() if "mlstep" in text
    }
    assert len(sizes) > 5
    assert max(sizes.values()) < 300_000, sorted(sizes.items(), key=lambda each: each[1])[-5:]


def test_a_number_is_changed_and_the_address_keeps_it(site, open_page):
    """Beside the page's own anchors: a section's address works before, and after it is put back."""
    with driver.served(site) as address:
        page = open_page(f"{address}/03-core-algorithms/the-2-2-2-network-every-number.html#step-through-it", 390)
        page.locator(".bar button", has_text="Change a number").click()
        field = page.locator(".change input").first
        field.press("ArrowUp")
        page.wait_for_url(re.compile("#steps1~"))
        again = open_page(page.url, 390)
        assert again.locator(".change input").first.input_value() == field.input_value()
        assert again.evaluate("document.querySelector('.mlstep').getBoundingClientRect().top < innerHeight")
        assert again.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert driver.axe(again, ".mlstep") == []
        page.locator("button", has_text="Reset all").click()
        page.wait_for_url(re.compile("#step-through-it$"))


@pytest.fixture(scope="session")
def read(installed, site):
    """Each page's address and what was found on it, at each width and in each scheme."""
    names = opened(site)
    with driver.served(site) as address, ThreadPoolExecutor(BROWSERS) as threads:
        found = threads.map(read_in_one_browser, [address] * BROWSERS, [names[k::BROWSERS] for k in range(BROWSERS)])
        return {name: seen for part in found for name, seen in part.items()}


def read_in_one_browser(address, names):
    """What was found on some of the pages. Playwright's objects belong to the thread that made them."""
    found = {}
    with driver.started() as browser:
        for name in names:
            page = driver.opened(browser, f"{address}/{name}")
            page.evaluate(TYPESET)
            found[name] = look_at(page, settings(name))
            page.context.close()
    return found


def settings(name):
    """The widths and schemes in which axe-core looks at a page."""
    if name in EACH_KIND:
        return FOUR
    draw = zlib.crc32(name.encode())
    return () if name.startswith("code/") or ("/" in name and draw % 3) else (TWO[draw % 2],)


def look_at(page, settings):
    """Whether all is in reach, at each width; what axe-core says at the settings, widths and schemes."""
    seen = {"fit": {}, "axe": []}
    for width in (1280, 820, 390):
        settle(page, width, "light")
        seen["fit"][width] = page.evaluate(FIT)
    seen["faults"] = list(page.faults)  # axe-core asks for style sheets where none are
    for width, scheme in settings:
        settle(page, width, scheme)
        page.wait_for_timeout(350)  # so long the theme waits before it lets the keys reach what scrolls at this width
        seen["axe"] += [(width, scheme, *problem) for problem in driver.axe(page, WITHIN)]
    return seen


def settle(page, width, scheme):
    """The page at a width, in a scheme, after the theme has moved what it moves."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.wait_for_timeout(150)


@pytest.mark.parametrize("width", WIDTHS)
def test_everything_can_be_read_whole(read, width):
    bad = [(name, *problem) for name, seen in read.items() for problem in seen["fit"][width]["bad"]]
    counts = collections.Counter()
    for seen in read.values():
        counts.update(seen["fit"][width]["counts"])
    assert counts["displayed formula"] >= 155
    assert not bad, f"{len(bad)} of {dict(counts)}:\n" + "\n".join(map(str, bad[:40]))


def test_no_page_is_endless(read):
    heights = {name: seen["fit"][1280]["height"] for name, seen in read.items()}
    assert {n: h for n, h in heights.items() if h > HIGHEST and not n.startswith("code/")} == {}


def test_no_page_has_errors_or_asks_another_machine(read):
    assert [(name, fault) for name, seen in read.items() for fault in seen["faults"]] == []


def test_axe_finds_nothing(read):
    found = collections.Counter(
        (rule, html) for seen in read.values() for _, _, rule, _, html in seen["axe"] for html in [html]
    )
    assert not found, "\n".join(f"{n} times {rule}: {html}" for (rule, html), n in found.most_common(30))


class Links(HTMLParser):
    """A page's anchors, and what it links."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links = set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids |= {found[key] for key in ("id", "name") if found.get(key)}
        self.links += [found[key] for key in ("href", "src") if found.get(key)]


def test_every_link_leads_somewhere(site):
    read = {name: Links(site / name) for name in pages(site)}
    broken, outside = [], collections.Counter()
    for name, page in read.items():
        for link in page.links:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                outside[address.netloc] += 1
                continue
            path = unquote(urlsplit(urljoin(f"/{name}", link)).path).lstrip("/") or name
            if not (site / path).is_file():
                broken.append((name, link, "no such file"))
            elif address.fragment and path in read and unquote(address.fragment) not in read[path].ids:
                broken.append((name, link, "no such anchor"))
    assert broken == []
    assert outside["arxiv.org"] >= 40
    assert outside["doi.org"] >= 25


def test_every_page_of_a_chapter_links_its_notebook_and_has_an_icon(site):
    for name in sorted(set(pages(site)).difference(leading(site))):
        links = Links(site / name).links
        assert any(link.endswith("favicon.svg") for link in links), name
        if stem := re.match(r"(\d\d-[\w-]+)", name):
            assert any(link.endswith(f"notebooks/{stem[1]}.ipynb") for link in links), name


def test_formulas_and_figures_are_linked_where_they_are_named(site):
    page = (site / "04-mathematics" / "softmax-and-cross-entropy.html").read_text(encoding="utf-8")
    assert '<a class="reference internal" href="#eq-4.2">(4.2)</a>' in page
    start = (site / "index.html").read_text(encoding="utf-8")
    assert re.search(r'href="04-mathematics/[\w-]+\.html#eq-4\.1-wrong">\(4\.1\*\)</a>', start)


def test_a_page_links_the_code_that_it_calls(site):
    page = (site / "04-mathematics" / "softmax-and-cross-entropy.html").read_text(encoding="utf-8")
    [line] = re.findall(
        r'href="\.\./code/minilm/ops/loss\.html#(line-\d+)"><code[^>]*><span class="pre">F\.cross_entropy', page
    )
    code = (site / "code" / "minilm" / "ops" / "loss.html").read_text(encoding="utf-8")
    assert re.search(rf'<span id="{line}"></span>.*@op.*\n.*>cross_entropy<', code)


def test_a_table_of_results_is_no_pale_box_on_a_dark_page(site, open_page):
    with driver.served(site) as address:
        page = open_page(f"{address}/06-3-questions.html", 390, "dark")
        color = "e => getComputedStyle(e).backgroundColor"
        assert page.eval_on_selector(".text_html:has(table)", color) == "rgba(0, 0, 0, 0)"


def test_the_article_is_named_with_its_author(site):
    assert "AI天才研究员" in (site / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "expected"), [("log-sum-exp", "softmax-and-cross-entropy"), ("Nesterov", "02-core-concepts/momentum")]
)
def test_a_search_finds_the_section(site, open_page, words, expected):
    with driver.served(site) as address:
        page = open_page(f"{address}/search.html?q={words}", 390)
        page.wait_for_selector("#search-results li a")
        found = [link.get_attribute("href") for link in page.query_selector_all("#search-results li a")]
        assert any(expected in link for link in found[:4]), found
        assert page.evaluate(FIT)["bad"] == []


FIRST = {
    "softmax": ("Op", "reference/ops/normalize/softmax.html"),
    "cross_entropy": ("Op", "reference/ops/loss/cross_entropy.html"),
    "relu": ("Op", "reference/ops/activation/relu.html"),
    "conv2d": ("Op", "reference/ops/conv/conv2d.html"),
    "4.3": ("Exercise", "04-mathematics/exercise-43-"),
    "exercise 2.12": ("Exercise", "02-core-concepts/exercise-212-adam.html"),
    "LayerNorm": ("API", "#minilm.nn.LayerNorm"),
    "DataLoader": ("API", "#minilm.data.DataLoader"),
    "AdamW": ("API", "#minilm.optim.AdamW"),
    "MultiHeadAttention": ("API", "#minilm.nn.MultiHeadAttention"),
    "the mask": ("Section", "04-mathematics/the-mask.html"),
    "normalization": ("Section", "04-mathematics/normalization.html"),
    "surprise in bits": ("Section", "01-background/surprise-in-bits.html"),
}
"""Of what readers search for: what the first result is, and where it leads."""


def test_a_search_finds_ops_exercises_names_and_sections_first(site, open_page):
    with driver.served(site) as address:
        page = open_page(f"{address}/search.html?q=tensor")
        found = {}
        for words in FIRST:
            page.goto(f"{address}/search.html?q={quote(words)}")
            page.wait_for_selector("#search-results li a")
            first = page.locator("#search-results li").first
            found[words] = first.locator(".book-kind").inner_text(), first.locator("a").get_attribute("href")
        bad = {
            words: found[words]
            for words, (kind, to) in FIRST.items()
            if kind != found[words][0] or to not in found[words][1]
        }
        assert bad == {}
        page.goto(
            f"{address}/search.html?q=softmax", wait_until="networkidle"
        )  # quotes with formulas and code among them
        assert page.evaluate(FIT)["bad"] == []


def test_a_name_in_the_text_leads_to_its_entry_and_that_to_its_code(site):
    page = (site / "02-core-concepts" / "the-tasks-of-language-processing.html").read_text(encoding="utf-8")
    text = "".join(path.read_text(encoding="utf-8") for path in (site / "03-core-algorithms").glob("*.html"))
    assert re.search(r'href="\.\./reference/(ops|api)/[\w/-]+\.html#minilm[\w.]+"><code', page + text)
    entry = (site / "reference" / "api" / "optim" / "adagrad.html").read_text(encoding="utf-8")
    assert re.search(
        r'id="minilm\.optim\.Adam".*?href="[./]*/code/minilm/optim/adam\.html#line-\d+"><span[^>]*>source',
        entry,
        re.DOTALL,
    )


def test_an_op_s_page_has_its_curve_its_code_and_its_tests(site, open_page):
    with driver.served(site) as address:
        page = open_page(f"{address}/reference/ops/activation/tanh.html", 390, "dark")
        page.evaluate(TYPESET)
        assert page.get_by_role("img", name="tanh from -4 to 4, and its derivative").is_visible()
        assert page.locator("mjx-container").count() >= 2
        code = page.locator("details.op-code pre").first
        assert not code.is_visible()
        page.locator("details.op-code > summary").first.press("Enter")
        assert "return g * (1.0 - y * y)" in code.inner_text()
        link = page.get_by_role("link", name="second derivative")
        assert "code/tests/ops/test_registry.html#line-" in link.get_attribute("href")


def test_a_dark_page_is_printed_light_and_no_line_of_code_is_cut(site, open_page):
    with driver.served(site) as address:
        page = open_page(f"{address}/reference/ops/activation/gelu.html", 700, "dark")
        theme = "document.documentElement.dataset.theme"
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate(theme) == "light"
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.evaluate(theme) == "dark"
        page.locator("details.op-code > summary").first.click()
        page.emulate_media(media="print")
        assert not page.locator(".bd-sidebar-primary").first.is_visible()
        pre = page.locator("details.op-code pre").first
        assert pre.evaluate("e => e.scrollWidth <= e.clientWidth + 1")


def test_a_step_through_is_printed_where_it_stands(site, open_page):
    with driver.served(site) as address:
        name = next(
            p.relative_to(site).as_posix() for p in site.glob("0*/*.html") if "mlstep" in p.read_text(encoding="utf-8")
        )
        page = open_page(f"{address}/{name}")
        page.wait_for_selector(".mlstep.on")
        page.emulate_media(media="print")
        first = page.locator(".mlstep.on").first
        assert [each.is_visible() for each in first.locator(".steps > li").all()].count(True) == 1
        assert not first.locator(".bar").first.is_visible()


def test_an_old_formula_leads_to_what_bore_its_number(site, open_page):
    from chapters.tools import moved

    stem = "04-mathematics"
    anchor = next(a for a, to in moved.record()[stem]["anchors"].items() if to.startswith("eq-"))
    with driver.served(site) as address:
        page = open_page(f"{address}/{stem}.html#{anchor}")
        page.wait_for_url(lambda url: f"/{stem}.html" not in url)
        assert page.url.endswith(f"#{moved.record()[stem]['anchors'][anchor]}")


def test_the_first_page_of_a_section_says_what_its_parts_begin_with(site):
    page = (site / "04-mathematics" / "attention.html").read_text(encoding="utf-8")
    assert re.search(r'href="query-key-value\.html">.*?</a>: Think of a library\.', page)


def test_a_folded_cell_opens_with_the_keyboard_and_is_named_by_its_line(site, open_page):
    """Above all, the line of a formula's check says what was checked."""
    with driver.served(site) as address:
        page = open_page(f"{address}/{CHECKED}", 390)
        line = page.locator("details.check > summary").first
        assert re.match(r"✓ \(\d+\.\d+\) holds", line.inner_text())
        code = page.locator("details.check pre").first
        assert not code.is_visible()
        line.focus()
        page.keyboard.press("Enter")
        assert code.is_visible()
        assert "holds(" in code.inner_text()
        page.keyboard.press("Space")
        assert not code.is_visible()
        assert line.get_attribute("aria-label") is None
        printed = [text for text in page.locator(".cell_output").all_inner_texts() if "✓" in text]
        assert printed == [], "what the line says is not printed again"


def test_paper_has_the_checks_and_no_other_folded_code(site, open_page):
    with driver.served(site) as address:
        page = open_page(f"{address}/{CHECKED}")
        page.emulate_media(media="print")
        assert page.locator("details.check").first.is_visible()
        assert not any(each.is_visible() for each in page.locator("details.hide.code").all())


def test_old_addresses_lead_on(site, open_page):
    """A page that is gone, and a heading that stood on a chapter's one page, or has moved to another chapter since."""
    stem, anchor = "04-mathematics", "the-2-2-2-network-every-number"
    with driver.served(site) as address:
        for name in leading(site)[:2]:
            page = open_page(f"{address}/{name}")
            page.wait_for_url(lambda url, name=name: f"/{name}" not in url)
            assert page.url.endswith(".html") or page.locator(f"[id='{page.url.partition('#')[2]}']").count() == 1
        page = open_page(f"{address}/{stem}.html#{anchor}")
        page.wait_for_url(lambda url: f"/{stem}.html" not in url)
        assert page.locator(f"[id='{page.url.partition('#')[2]}']").count() == 1


def test_the_symbols_of_all_chapters_are_on_one_page(site):
    page = (site / "symbols.html").read_text(encoding="utf-8")
    assert page.count("<table") >= 5


def test_each_chapter_says_which_part_of_which_article_it_follows(site):
    for path in site.glob("[0-9][0-9]-[a-z]*.html"):
        assert "AI天才研究员" in path.read_text(encoding="utf-8"), path.name
