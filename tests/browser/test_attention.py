"""Attention by hand: its numbers are the engine's, forward and back; keys, the address, what a reader can type; a page without faults."""

import json
import math
import re
from urllib.parse import quote

import numpy as np
import pytest

from chapters.tools.attention import tiny
from tests.book import by_hand
from tests.browser import driver

pytestmark = pytest.mark.browser
CAT = "the cat slept while it"
FULL = by_hand.TEXTS[-1][0]  # sixteen words less two


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The page by scheme, as a file: it needs no server."""
    folder = tmp_path_factory.mktemp("by-hand")
    return {scheme: by_hand.write_page(folder, scheme) for scheme in ("light", "dark")}


@pytest.fixture
def show(pages, open_page):
    """``show("text=the+cat&t=0")``: the page with that state in its address."""

    def show_(state="", width=1280, scheme="light"):
        address = pages[scheme].as_uri() + (f"#by-hand?{state}" if state else "")
        return open_page(address, width=width, scheme=scheme)

    return show_


def cells(page):
    """The matrix as it is read out: from, to and number."""
    labels = page.locator(".bh-grid td[aria-label]").evaluate_all("all => all.map(x => x.getAttribute('aria-label'))")
    return [
        re.fullmatch(r"layer (\d), head (\d), from \u201c(\S+)\u201d to \u201c(\S+)\u201d, (.+)", label).groups()
        for label in labels
    ]


def spoken(page):
    """What the element with the focus is called, without quotation marks."""
    return re.sub("[\u201c\u201d]", "", page.evaluate("document.activeElement.getAttribute('aria-label')"))


def value_of(cells):
    """The numbers of those that are not masked: "\u22123.1 times 10\u207b\u00b3" as it is written on the page."""
    powers = str.maketrans("\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u2212", "-0123456789-")
    found = []
    for *_, number in cells:
        if number != "masked":
            x, _, unit = number.replace("\u00b710", "e").translate(powers).partition(" times ")
            found.append(float(x) * float(unit or 1))
    return found


def bars(page):
    """Words and probabilities, as they stand in the bars."""
    page.evaluate("document.querySelectorAll('.bh-at-bars details').forEach(each => each.open = true)")
    lines = page.locator(".bh-bar").evaluate_all(
        "all => all.map(x => [...x.querySelectorAll('span')].map(y => y.textContent))"
    )
    return {word: 0.0 if p == "< 0.001" else float(p) for word, p in lines}


def type_text(page, text):
    page.fill("#bh-text", text)
    page.press("#bh-text", "Enter")


def status(page):
    return page.locator("#bh-status").inner_text()


@pytest.mark.parametrize(("text", "right"), by_hand.TEXTS)
def test_the_page_computes_the_engines_numbers(show, text, right):
    page = show()
    file = json.loads(tiny.FILE.read_text("utf-8"))
    by_hand.compare(page.evaluate(by_hand.SCRIPT, [file, text, right]), text, right)


def test_what_is_shown_is_the_engines(show):
    page = show(f"text={quote(CAT)}&right=barked")
    words, expected = CAT.split(), by_hand.engine(CAT, "barked")
    for layer in range(2):
        for head in range(2):
            page.locator(".bh-head").nth(2 * layer + head).click()
            for k, (l, h, here, there, number) in enumerate(cells(page)):
                i, j = divmod(k, len(words))
                assert (int(l), int(h), here, there) == (layer + 1, head + 1, words[i], words[j])
                assert number == ("masked" if j > i else f"{expected[f'weights {layer}'][head, i, j]:.2f}")
    e = np.exp(expected["logits"][-1] - expected["logits"][-1].max())
    assert bars(page) == pytest.approx(dict(zip(tiny.WORDS, e / e.sum(), strict=True)), abs=0.0011)
    assert f"= {expected['loss']:.3f} nats" in page.locator(".bh-at-loss").inner_text()
    lengths = [float(text) for text in page.locator(".bh-sizes li span:last-child").all_inner_texts()]
    assert lengths == pytest.approx(np.linalg.norm(expected["gradient of embeddings"], axis=1), rel=0.01)
    page.select_option("#bh-show", "weightsBack")
    page.locator(".bh-head").nth(1).click()
    found = expected["gradient of weights 0"][1][np.tril_indices(5)]
    assert value_of(cells(page)) == pytest.approx(found, abs=0.06 * 10 ** np.floor(np.log10(np.abs(found).max())))


def test_all_steps_forward_and_back_and_the_last_says_which_words(show):
    page = show(f"text={quote(CAT)}&right=barked&row=2")
    seen = [page.locator(".bh-at-step h3").inner_text()]
    while page.locator("[data-key=move-Next]").is_enabled():
        page.press("#bh-walk", "ArrowRight")
        seen.append(page.locator(".bh-at-step h3").inner_text())
    assert len(set(seen)) == len(seen) == 58
    assert "Softmax, head 2" in seen[6]
    assert seen[28].endswith("29 of 58, forward. Softmax and loss")
    assert seen[29].endswith("30 of 58, back. Softmax and loss")
    assert seen[-1].endswith("58 of 58, back. Embedding")
    numbers = page.locator(".bh-at-step .bh-numbers span").all_inner_texts()
    found = by_hand.engine(CAT, "barked")["gradient of embeddings"][1]
    assert [float(x.replace("\u2212", "-")) for x in numbers] == pytest.approx(found, abs=0.006)
    page.locator("[data-key=all-e]").click()
    page.wait_for_selector(".bh-at-step table")
    page.click("[data-key=move-Back]")  # what was opened stays open
    assert page.locator(".bh-at-step table tbody tr").count() == 10


def test_a_step_of_attention_turns_the_matrix_to_it(show):
    page = show(f"text={quote(CAT)}&step=4")
    page.click("[data-key=move-Next]")  # to the scores of layer 1; they are shown as far as they will be masked, too
    assert page.locator("#bh-show").input_value() == "scores"
    assert len(cells(page)) == 25
    assert value_of(cells(page)) == pytest.approx(by_hand.engine(CAT, "purred")["scores 0"][1].reshape(-1), abs=0.051)


def test_the_matrix_is_walked_by_keys(show):
    page = show(f"text={quote(CAT)}&row=5&col=2")
    page.locator('.bh-grid [tabindex="0"]').focus()
    assert spoken(page) == "layer 1, head 2, from it to cat, 0.80"
    for key, place in [
        ("ArrowUp", "from while to cat"),
        ("Home", "from while to the"),
        ("End", "from while to it, masked"),
        ("ArrowDown", "from it to it"),
        ("ArrowRight", "from it to it"),
        ("ArrowLeft", "from it to while"),
    ]:
        page.keyboard.press(key)
        assert place in spoken(page)
    assert page.locator(".bh-at-cell").inner_text().startswith("it (word 5) looks at while (word 4): score")
    assert page.locator('.bh-grid [tabindex="0"]').count() == 1


def test_a_word_is_appended_by_keys_and_the_focus_stays(show):
    page = show()
    page.locator(".bh-bar", has_text="purred").focus()
    page.keyboard.press("Enter")
    assert page.locator("#bh-text").input_value() == f"{CAT} purred"
    assert page.evaluate("document.activeElement.textContent").startswith("purred")
    page.locator(".bh-word", has_text="cat").focus()
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.textContent").startswith("cat")
    assert page.locator(".bh-word[aria-pressed=true]").inner_text().startswith("cat")


SMALL = """
all => all.map(x => [x.outerHTML.slice(0, 80), x.getBoundingClientRect()])
  .filter(([, box]) => box.width && Math.min(box.width, box.height) < 24).map(([name]) => name)
"""
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_a_page_fits_and_can_be_used_by_all(show, width, scheme):
    page = show("text=the+cat&right=again&step=36&show=scoresBack", width, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.wait_for_selector(".bh-at-step table")
    assert driver.axe(page) == []
    assert page.locator("#by-hand :is(button, input, select, summary, td[tabindex])").evaluate_all(SMALL) == []
    type_text(page, " ".join([*FULL.split(), "red", "gold"][:16]))
    assert page.evaluate(FITS)


@pytest.mark.parametrize(("temperature", "bits", "most"), [(0, 0.0, 1.0), (1000, math.log2(46), 1 / 46)])
def test_temperature_from_none_to_very_much(show, temperature, bits, most):
    page = show(f"text={quote('mia fed the dog and')}")
    page.fill("[aria-label='temperature, as a number']", str(temperature))
    page.press("[aria-label='temperature, as a number']", "Enter")
    assert f"Entropy: {bits:.2f} bits" in page.locator(".bh-at-entropy").inner_text()
    p = bars(page)
    assert max(p.values()) == pytest.approx(most, abs=0.002)
    assert sum(p.values()) == pytest.approx(1, abs=0.03)


def test_the_slider_moves_the_bars_and_not_the_loss(show):
    page = show(f"text={quote('mia fed the dog and')}&right=he")
    before, loss = bars(page), page.locator(".bh-at-loss").inner_text()
    page.locator("#bh-t").focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    after = bars(page)
    assert after["he"] > before["he"]
    assert page.locator(".bh-at-loss").inner_text() == loss
    logits = by_hand.engine("mia fed the dog and", "he")["logits"][-1] / 2
    p = np.exp(logits - logits.max())
    assert after == pytest.approx(dict(zip(tiny.WORDS, p / p.sum(), strict=True)), abs=0.0011)


def test_one_word_and_a_full_context_and_more(show):
    page = show()
    type_text(page, "tom")
    assert status(page) == "1 of at most 16 words."
    assert [number for *_, number in cells(page)] == ["1.00"]
    sixteen = [*FULL.split(), "red", "gold"][:16]
    type_text(page, " ".join(sixteen))
    assert status(page) == "16 of at most 16 words."
    assert len(cells(page)) == 256
    page.locator(".bh-bar").first.click()
    assert status(page).endswith(f"\u201c{sixteen[0]}\u201d at the beginning was left out.")
    assert len(page.locator("#bh-text").input_value().split()) == 16
    type_text(page, " ".join([*sixteen, "the"]))
    assert status(page) == "17 words. The model sees at most 16, so it reads the last 16."
    assert [here for _, _, here, _, _ in cells(page)][-1] == "the"


def test_what_the_model_does_not_know_is_said(show):
    page = show()
    type_text(page, "the cot slept")
    assert "does not know the word \u201ccot\u201d. Did you mean \u201ccat\u201d?" in status(page)
    assert page.locator("#bh-text").get_attribute("aria-invalid") == "true"
    assert not page.locator(".bh-result").is_visible()
    type_text(page, "<b>\u5341</b>")
    assert "does not know the word \u201c<b>\u5341</b>\u201d." in status(page)
    type_text(page, " ")
    assert status(page) == "Type at least one word."
    type_text(page, "The  CAT slept.")
    assert status(page) == "4 of at most 16 words."
    assert page.locator(".bh-result").is_visible()


def test_the_same_seed_draws_the_same_words(show):
    def drawn(seed):
        page = show(f"text=mia&t=1.5&seed={seed}")
        for _ in range(5):
            page.click("[data-key=draw]")
        return page.locator("#bh-text").input_value()

    first = drawn(1)
    assert drawn(1) == first
    assert len({first, drawn(2), drawn(3)}) > 1


def test_the_state_is_in_the_address(show):
    page = show()
    assert "#" not in page.url  # nothing was changed
    type_text(page, "mia fed the dog and")
    page.select_option("#bh-right", "he")
    page.locator(".bh-head").nth(2).click()
    page.locator("#bh-walk").fill("40")
    page.locator("#bh-t").fill("2.5")
    page.locator(".bh-word").nth(1).click()
    again = show(page.url.split("#by-hand?")[1])
    assert again.url == page.url
    for part in (".bh-result", ".bh-at-matrix", ".bh-at-step", ".bh-at-bars"):
        assert again.locator(part).inner_text() == page.locator(part).inner_text()
    for control in ("#bh-text", "#bh-right", "#bh-walk", "#bh-t"):
        assert again.locator(control).input_value() == page.locator(control).input_value()


@pytest.mark.parametrize(
    "state", ["text=&t=-1&layer=9&head=x&row=0&step=-5&show=all&right=tiger", "t=1e9&step=1e9&seed=no&row=1e3", "%%%"]
)
def test_an_address_that_makes_no_sense_does_no_harm(show, state):
    page = show(state)
    assert "layer" in page.locator(".bh-grid caption").inner_text().lower() if "text=" not in state else status(page)


def test_other_anchors_are_left_alone(pages, open_page):
    page = open_page(pages["light"].as_uri() + "#elsewhere")
    assert page.url.endswith("#elsewhere")
    page.evaluate("location.hash = 'again'")
    assert page.locator("#bh-text").input_value() == CAT


def test_without_scripts_a_picture_stands_there(pages, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(pages["light"].as_uri())
    assert page.locator("#by-hand svg").count() == 2
    assert "Where scripts run" in page.locator("#by-hand").inner_text()
    context.close()
