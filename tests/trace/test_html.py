"""The page: complete without its script, deterministic, small, and told by the trace alone."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

import minilm as ml
from minilm.nn import functional as F
from minilm.trace.html import asset, compact, mathml, matrix, page, scripts


def network():
    x, y = ml.tensor([1.0, 2.0]), ml.tensor([0.1, 0.9])
    W1 = ml.tensor([[0.1, 0.2], [0.3, 0.4]], requires_grad=True)
    b1 = ml.tensor([0.1, 0.2], requires_grad=True)
    W2 = ml.tensor([[0.5, -0.6], [-0.7, 0.8]], requires_grad=True)
    b2 = ml.tensor([0.1, -0.2], requires_grad=True)
    with ml.trace() as steps:
        z1 = W1 @ x + b1
        a1 = z1.sigmoid()
        z2 = W2 @ a1 + b2
        p = z2.sigmoid()
        loss = F.binary_cross_entropy(p, y)
        loss.backward()
    return steps, W1


def attention():
    rng = np.random.default_rng(0)
    X = ml.tensor(rng.normal(size=(4, 8)))
    Wq, Wk, Wv = (ml.tensor(rng.normal(size=(8, 4)), requires_grad=True) for _ in range(3))
    with ml.trace() as steps:
        Q = X @ Wq
        K = X @ Wk
        V = X @ Wv
        P = F.softmax(Q @ K.T / 2.0, -1)
        Y = P @ V
        Y.sum().backward()
    return steps


def gpt():
    ml.manual_seed(0)
    model = ml.models.GPT(ml.models.GPTConfig(vocab_size=65, block_size=16, n_layer=2, n_head=2, n_embd=32))
    ids = ml.tensor(np.arange(16)[None])
    with ml.trace() as steps:
        loss = F.cross_entropy(model(ids).reshape(-1, 65), ml.tensor(np.arange(16)))
        loss.backward()
    return steps


@pytest.fixture(scope="module")
def net():
    return network()[0]


@pytest.fixture(scope="module")
def net_page(net):
    return page(net)


class Reader(HTMLParser):
    """Collects text, ids and addresses, and checks that elements nest."""

    OPTIONAL = frozenset(("p", "li", "td", "th", "tr", "dt", "dd"))
    VOID = frozenset(("br", "image", "input"))

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        while self.open[-1] != tag:
            assert self.open.pop() in self.OPTIONAL, f"</{tag}> closes {self.open[-5:]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)


def steps_of(text: str) -> list[str]:
    return re.findall(r"<li class.*?(?=<li class|</ol>)", text, re.DOTALL)


# -- content ----------------------------------------------------------------------------------------------------------


def test_each_step_is_an_item_with_its_numbers(net, net_page):
    items = steps_of(net_page)
    assert len(items) == len(net)
    assert "<code>W1 @ x</code>" in items[0]
    assert "<td>0.5<tr><td>1.1" in items[0]  # the result, a column
    assert "z1 = W1 @ x + b1" in items[0]
    assert "backward begins" in items[7]


def test_a_backward_step_shows_what_arrives_local_derivative_product_and_sum(net_page):
    item = steps_of(net_page)[9]  # p = sigmoid(z2)
    numbers = [re.findall(r"<td>([−\d.]+)", table) for table in re.findall(r"<table class=x>.*?</table>", item)]
    assert numbers == [["0.7761", "−0.8118"], ["0.2499", "0.25"], ["0.1939", "−0.2029"], ["0.1939", "−0.2029"]]
    arrives, local, product, total = (np.array([float(x.replace("−", "-")) for x in row]) for row in numbers)
    np.testing.assert_allclose(arrives * local, product, atol=1e-4)
    np.testing.assert_allclose(product, total)


def test_a_gradient_of_two_uses_is_shown_as_a_sum():
    x = ml.tensor([2.0], requires_grad=True)
    with ml.trace() as steps:
        y = x * 3.0 + x
        y.sum().backward()
    last = steps_of(page(steps))[-1]
    assert "<td>3<" in last
    assert "<td>4<" in last
    assert "with what came before" in last
    assert page(steps).count("with what came before") == 1


def test_large_arrays_are_pictures_with_shape_and_range():
    x = ml.tensor(np.linspace(-1, 1, 40).reshape(4, 10).astype(np.float32)).named("x")
    with ml.trace() as steps:
        x.exp()
    item = steps_of(page(steps))[0]
    assert re.search(r"x<i class=p\d+></i>4×10, −1 to 1", item)


def test_the_same_array_is_one_picture():
    x = ml.tensor(np.linspace(-1, 1, 40).reshape(4, 10))
    with ml.trace() as steps:
        x.exp()
        x.sin()
    text = page(steps)
    places = re.findall(r"\.p(\d+)\{", text)
    assert len(places) == len(set(places)) == 3


def test_other_dtypes_are_named():
    table, ids = ml.tensor(np.ones((4, 5), np.float32)), ml.tensor(np.arange(20) % 4)
    with ml.trace() as steps:
        F.embedding(ids, table)
    assert "</i>int64 20, 0 to 3" in page(steps)
    assert "</i>4×5, 1 to 1" in page(steps)


def test_numbers_that_are_not_finite_are_marked():
    x = ml.tensor([0.0, 1.0])
    with ml.trace() as steps, np.errstate(all="ignore"):
        x.log()
    assert "<mark>−inf</mark>" in page(steps)


def test_each_formula_stands_once_and_every_step_leads_to_its_own(net, net_page):
    reader = Reader(net_page)
    ids = [attrs["id"] for _, attrs in reader.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {attrs["href"] for tag, attrs in reader.tags if tag == "a"}
    assert targets == {f"#{i}" for i in ids}
    assert sum(tag == "math" for tag, _ in reader.tags) == 2 * len({c.op.name for c in net.calls})


def test_vectors_stand_upright_only_beside_matrices():
    rows = matrix(np.array([1.0, 2.0]))
    assert rows == '<table class="x"><tr><td>1<td>2</table>'
    assert matrix(np.array([1.0, 2.0]), upright=True) == '<table class="x"><tr><td>1<tr><td>2</table>'
    assert matrix(np.array(-0.5)) == "<b>−0.5</b>"
    assert matrix(np.array([True])) == '<table class="x"><tr><td>True</table>'


# -- form -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: network()[0], attention, gpt])
def test_elements_nest(make):
    reader = Reader(page(make()))
    assert set(reader.open) <= Reader.OPTIONAL


def test_nothing_is_fetched(net_page):
    assert "http" not in re.sub(r"http://www\.w3\.org/[\w/]+", "", net_page)
    assert "@import" not in net_page
    assert not any(tag in ("link", "iframe", "img") for tag, _ in Reader(net_page).tags)


def test_the_same_computation_gives_the_same_bytes(net_page):
    assert page(network()[0]) == net_page


def test_another_computation_gives_another_name(net_page):
    name = re.compile(r'data-mlstep="(\w+)"')
    other = page(attention())
    assert name.search(net_page)[1] != name.search(other)[1]
    assert name.search(net_page)[1] in asset("step.js").replace("HASH", name.search(net_page)[1])


def test_what_the_reader_wrote_is_escaped():
    x = ml.tensor([1.0]).named('<img src=x onerror="alert(1)">')
    with ml.trace() as steps:
        x.exp()  # </script><script>
    text = page(steps)
    assert "<img" not in text
    assert text.count("</script>") == 2
    assert json.loads(re.search(r'application/json">(.*?)</script>', text)[1])


def test_the_script_finds_all_that_it_shows(net, net_page):
    data = json.loads(re.search(r'application/json">(.*?)</script>', net_page)[1])
    assert len(data["t"]) == len(net)
    boxes = set(re.findall(r"data-k=(\w+)", net_page))
    assert {f"c{step[2]}" for step in data["t"]} <= boxes
    assert len(data["p"]) == len(re.findall(r"\.p\d+\{", net_page))
    assert set(re.findall(r"data-t=(\w+)", net_page)) <= boxes


def test_every_class_in_the_style_lies_under_the_component():
    for rule in re.findall(r"(?:^|\})\s*([^{}@]+)\{", asset("step.css")):
        assert all(".mlstep" in selector for selector in rule.split(",") if "(" not in rule), rule


def test_an_empty_trace_says_so():
    with ml.trace() as steps:
        pass
    assert "empty trace" in page(steps)


def test_a_module_of_one_step_has_no_summary_of_its_own():
    text = page(gpt())
    assert re.search(r"<details class=panel data-s=\d+><summary><b>model.ln_f</b>", text)
    sections = re.findall(r"<section.*?</section>", text)
    assert not any("ln_f" in s.partition("</p>")[0] for s in sections)
    assert any("model.blocks.0.attn" in s for s in sections)


@pytest.mark.parametrize(("make", "limit"), [(lambda: network()[0], 45), (attention, 80), (gpt, 200)])
def test_size(make, limit):
    html = page(make())
    steps, change = (scripts(ops) for ops in (None, set(re.findall(r"OPS\.(\w+)=", html))))
    assert (
        len(html.encode()) - (len(change.encode()) - len(steps.encode())) * ("function changing(" in html)
        < 1000 * limit
    )


@pytest.mark.parametrize("make", [lambda: network()[0], attention])
def test_what_computes_the_numbers_again_is_small(make):
    assert len(page(make()).encode()) < 78_000


def test_compact_takes_only_quotes_that_may_go():
    assert compact('<a class="x" href="a b"><path d="M1" class="y"/>') == '<a class=x href="a b"><path d=M1 class="y"/>'


def test_mathml_is_typeset():
    assert mathml(r"\bar a = \frac{1}{2}") == (
        '<math display="block"><mrow><mover><mi>a</mi><mo>¯</mo></mover><mo>=</mo>'
        "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></mfrac></mrow></math>"
    )
    assert "<mo>&lt;</mo>" in mathml("a < b")


def test_the_script_keeps_its_strings():
    short = asset("step.js")
    assert '" of "' in short
    assert 'document.querySelectorAll("[data-mlstep=' in short
    assert "/*" not in short
    assert " = " not in re.sub(r'"[^"]*"', "", short)


# -- explanations -----------------------------------------------------------------------------------------------------


def test_an_explanation_is_a_table_of_paths():
    steps, W1 = network()
    text = steps.explain(W1, (0, 1))._repr_html_()
    Reader(text)
    assert "∂L/∂W1[0, 1] is the sum over 2 paths" in text
    assert "2 × 1 × 0.2288 × (−0.7) × 1 × 0.25 × (−0.8118) × 1" in text
    assert "<b>0.06499</b>" in text
    assert "<b>0.1094</b>" in text


def test_bars_tell_sign_and_share():
    x = ml.tensor([2.0], requires_grad=True).named("x")
    with ml.trace() as steps:
        y = x * x * -1.0 + x
        y.sum().backward()
    text = steps.explain(x, 0)._repr_html_()
    assert re.search(r'class="bar more" style="width:\d+px"></i>\+', text)
    assert re.search(r'class="bar minus" style="width:100px"></i>−', text)


def test_tensor_paths_have_no_factors():
    steps, W1 = network()
    text = steps.explain(W1)._repr_html_()
    assert "factors" not in text
    assert "W1 → (W1 @ x) → z1" in text


def test_a_module_is_summed_up_by_what_goes_in_and_out():
    model, x = ml.nn.Linear(2, 1), ml.tensor([[1.0, 2.0]], requires_grad=True)
    with ml.use_fused(False), ml.trace() as steps:  # fused, it is one step, of which no summary is needed
        y = model(x)
        (y + x.sum()).sum().backward()
    section = re.search(r"<section.*?</section>", page(steps))[0]
    forward, backward = section.split("<div class=b>")
    assert "and the gradients of 2 parameters" in backward
    assert backward.count("adds to") == 1
    numbers = [
        float(n.replace("−", "-")) for n in re.findall("<td>([−.0-9e]+)", backward.partition("adds to ∂L/∂x")[2])
    ]
    np.testing.assert_allclose(
        numbers, model.weight.numpy()[0], rtol=1e-3
    )  # the Module's part alone, without x.sum()'s
    assert "backward" not in forward


def test_the_colors_are_explained_of_what_there_is(net_page):
    key = re.search(r"<p class=key>.*?</p>", net_page)[0]
    for word in ("parameter", "input", "still to come", "computed", "gradient", "negative"):
        assert word in key
    assert "Module" not in key
    assert "Module: Enter opens it" in page(gpt())
    x = ml.tensor([1.0])
    with ml.trace() as steps:
        x.exp()
    assert not any(
        word in page(steps).partition("<script")[0] for word in ("gradient has arrived", "negative", "parameter<")
    )


def test_a_page_of_its_own_is_complete(tmp_path, net):
    net.save(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text("utf-8")
    for part in (
        '<html lang="en">',
        'name="viewport"',
        '"light dark"',
        "<title>Step-through</title>",
        "<main>",
        "<h1>",
    ):
        assert part in text
