"""Index notation, matrix calculus and derivatives of one variable."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Task, Test, Wrong
from minilm.exercises.tasks.chapter4.draws import given, normal

READ_SHAPES = ((2, 3), (4, 3), (5, 2), (2,), (2,), (3,))


def spelled(spec: str, *shapes: tuple[int, ...], shift: float = 0.0) -> Any:
    """Draws arrays of these shapes; the specification stands before them."""
    return lambda rng: (spec, *(rng.standard_normal(shape) + shift for shape in shapes))


def bent(x: Any) -> Any:
    """A gradient that is not linear, so that a step to one side alone shows."""
    return x**2 + np.roll(x, 1) * x[::-1]


def linear(x: Any) -> Any:
    """The gradient of a quadratic function, with the Hessian (2, 1; 1, 3)."""
    return np.array([[2.0, 1.0], [1.0, 3.0]]) @ x


def along_bent(answer: Any, x: Any, v: Any, h: float) -> Any:
    return answer(bent, x, v, h)


def along_linear(answer: Any, x: Any, v: Any, h: float) -> Any:
    return answer(linear, x, v, h)


def counting_calls(answer: Any, x: Any, v: Any, h: float) -> Any:
    """The product, and how often the gradient was asked for."""
    calls = 0

    def gradient(point: Any) -> Any:
        nonlocal calls
        calls += 1
        return bent(point)

    return answer(gradient, x, v, h), calls


READ = Task(
    id="4.1",
    title="Read the indices",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="free and summed indices, matrix products",
    statement=r"""
Which of these cannot be meant as written, and why? (a) $c_{ik} = \sum_j A_{ij} B_{kj}$; (b) $z_i = \sum_i W_{ij}\, a_i$; (c)
$s = \sum_{ij} A_{ij}\, x_i\, y_j$; (d) $y_i = \sum_j A_{ij}\, x_k$. Write the valid ones with matrix products.

`valid(A, B, W, a, x, y)` returns a dict: for each valid one its letter and its value, computed with `@` and `.T` alone, such as
`{"d": A @ y}` if (d) were the only one.
""",
    name="valid",
    stub='''
def valid(A, B, W, a, x, y):
    """The formulas that can be meant as written: letter -> value.

    A: (m, n); B: (p, n); W: (q, m); a, x: (m,); y: (n,).
    """
    raise NotImplementedError
''',
    solution="""
def valid(A, B, W, a, x, y):
    c = A @ B.T
    s = x @ A @ y
    return {"a": c, "c": s}
""",
    hint="List the free indices of both sides. A summed index may not be free, and a free index must stand on both sides.",
    derivation=r"""
(a) is $C = A B^\top$. (b) uses $i$ as a free index on the left and a summed one on the right, and leaves $j$ free on the right:
meant was $z_j = \sum_i W_{ij} a_i$ or $z_i = \sum_j W_{ij} a_j$, which differ by a transpose. (c) is $s = x^\top A y$. (d) has
$k$ free on the right only.
""",
    tests=(
        Test(
            "small integers",
            given([[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]], [[1.0], [2.0], [3.0]], [2.0], [3.0], [1.0, -1.0]),
        ),
        Test("all sizes different", normal(*READ_SHAPES), points=2, labels={"m": 2, "n": 3, "p": 4, "q": 5}),
        Test("square matrices", normal((3, 3), (3, 3), (3, 3), (3,), (3,), (3,)), hidden=True),
    ),
    wrong=(
        Wrong(
            "transposed-result",
            "c = A @ B.T",
            "c = B @ A.T",
            "This is the transpose of (a): its rows belong to B.",
            "The first index of c is that of A.",
        ),
        Wrong(
            "",
            '{"a": c, "c": s}',
            '{"a": c, "b": W @ a, "c": s}',
            "(b) is among the valid ones. Its index i is summed on the right, so it cannot be free on the left.",
            "Which indices are free on each side of (b)?",
        ),
        Wrong(
            "",
            '{"a": c, "c": s}',
            '{"a": c}',
            "(c) is missing. Both of its indices are summed, and none is free: its value is one number.",
            "May a formula have no free index?",
        ),
        Wrong(
            "wrong-axis",
            "x @ A @ y",
            "(A @ y).sum()",
            "The factor x is missing in (c): its index was summed without it.",
            "Three factors stand in the sum of (c).",
        ),
    ),
    after="Write (b) in both ways that could have been meant, and find shapes for which only one of them can be computed.",
)

DIFFERENTIALS = Task(
    id="4.7",
    title="Two gradients by differentials",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="traces, transposes, gradients of matrices",
    statement=r"""
Find $\bar X$ for $J = \operatorname{tr}(X^\top A X)$, and $\bar W$ for $J = \tfrac12 \lVert X W^\top - T \rVert^2$ (the sum of
squares of all elements). Write `gradients(A, X, W, T)`, which returns the two.

For the numbers $A = 3$, $X = 2$, $W = 1$, $T = 5$ they are 12 and $-6$.
""",
    name="gradients",
    stub='''
def gradients(A, X, W, T):
    """The gradient of tr(X^T A X) by X, and that of |X W^T - T|^2 / 2 by W.

    A: (n, n); X: (n, d); W: (k, d); T: (n, k). Returns (n, d) and (k, d).
    """
    raise NotImplementedError
''',
    solution="""
def gradients(A, X, W, T):
    E = X @ W.T - T
    return (A + A.T) @ X, E.T @ X
""",
    hint=r"""$d(X^\top A X) = dX^\top A X + X^\top A\, dX$, and $\operatorname{tr}(B) = \operatorname{tr}(B^\top)$. For the second,
$dJ = \operatorname{tr}(E^\top dE)$ with $E = XW^\top - T$.""",
    derivation=r"""
$dJ = \operatorname{tr}(dX^\top A X) + \operatorname{tr}(X^\top A\, dX) = \operatorname{tr}(X^\top A^\top dX) +
\operatorname{tr}(X^\top A\, dX) = \operatorname{tr}\bigl(((A + A^\top) X)^\top dX\bigr)$,
so $\bar X = (A + A^\top) X$; it is $2AX$ only for symmetric $A$. Second:
$dJ = \operatorname{tr}(E^\top X\, dW^\top) = \operatorname{tr}((E^\top X)^\top dW)$, so $\bar W = E^\top X$: (3.10) with
$\bar Y = E$.
""",
    tests=(
        Test("numbers", given([[3.0]], [[2.0]], [[1.0]], [[5.0]])),
        Test(
            "a symmetric A",
            given([[1.0, 2.0], [2.0, 0.0]], [[1.0], [3.0]], [[1.0], [0.0], [2.0]], [[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]]),
        ),
        Test("any A", normal((3, 3), (3, 2), (4, 2), (3, 4)), points=2, labels={"n": 3, "d": 2, "k": 4}),
        Test("all matrices square", normal((3, 3), (3, 3), (3, 3), (3, 3)), hidden=True),
    ),
    wrong=(
        Wrong(
            "product-rule-half",
            "(A + A.T) @ X",
            "A @ X",
            "X stands twice in the trace; the gradient holds one of the two terms.",
            "The differential of a product has a term for each factor.",
        ),
        Wrong(
            "",
            "(A + A.T) @ X",
            "2 * A @ X",
            "2AX is the gradient for a symmetric A only. The second term has A's transpose.",
            "Bring dX to the right end of both traces. What happens to A in the first?",
        ),
        Wrong(
            "transpose-missing-in-backward",
            "E.T @ X",
            "(X.T @ E)",
            "The second gradient is transposed: it has not the shape of W.",
            "A gradient has the shape of its parameter, (k, d).",
        ),
        Wrong(
            "factor-two-missing",
            "E.T @ X",
            "2 * E.T @ X",
            "The second gradient is twice too large: the loss has a half in front.",
        ),
        Wrong("sign-of-the-gradient", "X @ W.T - T", "T - X @ W.T"),
    ),
    after="Find the gradient of the second loss by X, and check it against (3.10).",
)

GELU = Task(
    id="4.27",
    title="GELU and its derivative",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="product and chain rule through tanh",
    statement=r"""
GPT-2's activation is the approximation

$$ y = \tfrac12\, x\, (1 + \tanh u), \qquad u = \sqrt{2/\pi}\, (x + 0.044715\, x^3) $$

Write `gelu(x)`: it returns $y$ and $dy/dx$ for every element of an array of any shape. At 0 they are 0 and 0.5; far to the right they are
$x$ and 1.
""",
    name="gelu",
    stub='''
def gelu(x):
    """GELU in its tanh form, and its derivative.

    x: an array of any shape. Returns two arrays of that shape.
    """
    raise NotImplementedError
''',
    solution="""
def gelu(x):
    c = np.sqrt(2 / np.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    inner = c * (1 + 3 * 0.044715 * x**2)
    return 0.5 * x * (1 + t), 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * inner
""",
    hint="A product of x with something that depends on x: two terms. The derivative of tanh is known from its value.",
    derivation=r"""
The product rule gives $y' = \frac12 (1 + \tanh u) + \frac12 x\, \frac{d \tanh u}{dx}$. The chain rule gives
$\frac{d \tanh u}{dx} = (1 - \tanh^2 u)\, u'$ with $u' = \sqrt{2/\pi}\, (1 + 3 \cdot 0.044715\, x^2)$. For large $x$ the factor
$1 - \tanh^2 u$ is 0, and $y' = 1$. Unlike ReLU's, the derivative is a little above 1 on the right and below 0 on the left.
""",
    tests=(
        Test("zero", given([0.0])),
        Test("a few numbers", given([-1.0, 0.5, 2.0])),
        Test("a batch", normal((2, 3)), points=2),
        Test("far to both sides", given([-50.0, -6.0, 6.0, 50.0]), hidden=True),
        Test("no axes but one element", normal(()), hidden=True),
    ),
    wrong=(
        Wrong(
            "product-rule-half",
            " + 0.5 * x * (1 - t**2) * inner",
            "",
            "This is one of the product rule's two terms: the tanh depends on x too.",
        ),
        Wrong("tanh-derivative-without-square", "(1 - t**2)", "(1 - t)"),
        Wrong(
            "power-rule-exponent",
            "3 * 0.044715 * x**2",
            "0.044715 * x**2",
            "The derivative of x³ is 3x²: its factor 3 is missing.",
        ),
        Wrong(
            "local-derivative-only",
            "(1 - t**2) * inner",
            "(1 - t**2)",
            "The inner derivative, that of u, is missing.",
            "tanh is taken of u, and u depends on x.",
        ),
        Wrong(
            "",
            "np.sqrt(2 / np.pi)",
            "(2 / np.pi)",
            "The constant in front is 2/π; it is to be its square root.",
            "Compare the constant with the formula.",
        ),
    ),
    after="Where is the least value of GELU? Find it with Newton's method on your derivative.",
)

EINSUM_BACKWARD = Task(
    id="4.28",
    title="The backward pass of any einsum",
    kind="code",
    minutes=20,
    difficulty=3,
    practises="index notation, gradients as exchanged indices",
    statement=r"""
`np.einsum("ik,kj->ij", A, B)` is $C_{ij} = \sum_k A_{ik} B_{kj}$. Write `einsum_backward(spec, A, B, C_bar)` for any such specification
of two operands: from the gradient $\bar C$ that arrives at the result it returns $\bar A$ and $\bar B$. `np.einsum` may be used.

No letter stands twice in one operand. But a letter may stand in one operand alone and not in the result, as $j$ in `"ij,k->ik"`: it is
summed there.
""",
    name="einsum_backward",
    stub='''
def einsum_backward(spec, A, B, C_bar):
    """The gradients of both operands of np.einsum(spec, A, B).

    spec: such as "ik,kj->ij"; C_bar: an array of the result's shape.
    Returns arrays of the shapes of A and B.
    """
    raise NotImplementedError
''',
    solution="""
def einsum_backward(spec, A, B, C_bar):
    operands, out = spec.split("->")
    a, b = operands.split(",")
    A_bar = np.einsum(f"{out},{b},{a}->{a}", C_bar, B, np.ones(A.shape))
    B_bar = np.einsum(f"{out},{a},{b}->{b}", C_bar, A, np.ones(B.shape))
    return A_bar, B_bar
""",
    hint="""Write the sum over all letters of C_bar, A and B. What is its derivative by one element of A?
For a letter that is then missing: what array adds nothing but its axis?""",
    derivation=r"""
Let $L = \sum \bar C_{\text{out}}\, A_a\, B_b$ over all letters. It is linear in $A$, so the derivative by one element of $A$ fixes the
letters $a$ and sums over the rest: $\bar A_a = \sum_{\text{not in } a} \bar C_{\text{out}}\, B_b$. That is an einsum again, with operand
and result exchanged: `"ij,kj->ik"` for the matrix product, which is $\bar C B^\top$, (3.10). A letter that stands in $A$ alone occurs
neither in $\bar C$ nor in $B$; every element along it has the same gradient. A factor of ones with the letters of $A$ brings the axis and
changes nothing else.
""",
    tests=(
        Test("a dot product", spelled("i,i->", (3,), (3,), ())),
        Test("matrix times vector", spelled("ij,j->i", (2, 3), (3,), (2,)), labels={"i": 2, "j": 3}),
        Test("matrix product", spelled("ik,kj->ij", (2, 4), (4, 3), (2, 3)), points=2, labels={"i": 2, "j": 3, "k": 4}),
        Test("attention's scores", spelled("bqd,bkd->bqk", (2, 3, 4), (2, 5, 4), (2, 3, 5)), hidden=True),
        Test("the result in another order, all square", spelled("ij,jk->ki", (3, 3), (3, 3), (3, 3)), hidden=True),
        Test("a letter in one operand alone", spelled("ij,k->ik", (2, 3), (4,), (2, 4)), points=2, hidden=True),
    ),
    wrong=(
        Wrong(
            "",
            '"{out},{b},{a}->{a}", C_bar, B, np.ones(A.shape)',
            '"{out},{b}->{a}", C_bar, B',
            "A letter that stands in one operand alone occurs in none of the arrays from which its gradient is made.",
            "What is the gradient along an axis that was only summed?",
        ),
        Wrong(
            "derivative-of-the-other-input",
            "return A_bar, B_bar",
            "return B_bar, A_bar",
            "The two gradients have changed places.",
        ),
        Wrong(
            "local-derivative-only",
            'np.einsum(f"{out},{a},{b}->{b}", C_bar, A',
            'np.einsum(f"{out},{a},{b}->{b}", np.ones(C_bar.shape), A',
            "The gradient that arrives is not used in the second operand's.",
        ),
        Wrong(
            "transposed-result",
            "{b}->{b}",
            "{b}->{b[::-1]}",
            "The axes of the second operand's gradient are in reverse order; a gradient has the shape of its operand.",
        ),
    ),
    after="Let a letter stand twice in one operand, as in a trace. What must the gradient be then?",
)

HESSIAN_VECTOR = Task(
    id="4.29",
    title="A Hessian times a vector, without the Hessian",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="directional derivatives, central differences",
    statement=r"""
`gradient(x)` gives the gradient of a function $f$ at a vector $x$. Write `hessian_vector(gradient, x, v, h)`: the Hessian of $f$ at $x$
times $v$, by the central difference of the gradient along $v$ with step $h$, so that $x$ moves by $\pm h v$. Exactly two calls of
`gradient` are allowed, for any number of parameters, and `x` stays as it is.

For $f = x_1^2 + x_1 x_2 + \frac32 x_2^2$ the Hessian is $\begin{pmatrix} 2 & 1 \\ 1 & 3 \end{pmatrix}$; times $v = (1, 0)$ it is
$(2, 1)$.
""",
    name="hessian_vector",
    stub='''
def hessian_vector(gradient, x, v, h):
    """The product of a Hessian and a vector.

    gradient: a function from (n,) to (n,); x, v: (n,); h: a small number.
    Returns (n,).
    """
    raise NotImplementedError
''',
    solution="""
def hessian_vector(gradient, x, v, h):
    ahead = gradient(x + h * v)
    behind = gradient(x - h * v)
    return (ahead - behind) / (2 * h)
""",
    hint="The Hessian is the derivative of the gradient. Along a line x + h v the gradient is a function of one number.",
    derivation=r"""
Taylor: $\nabla f(x \pm h v) = \nabla f(x) \pm h\, H v + \frac{h^2}{2} f'''[v, v] + O(h^3)$. In the difference the terms with even powers of
$h$ cancel: $\nabla f(x + hv) - \nabla f(x - hv) = 2 h\, H v + O(h^3)$, so after the division the error is $O(h^2)$; with one side
alone it is $O(h)$. The matrix would need $n$ such products, one for each unit vector: $2n$ gradients. One product needs two.
""",
    tests=(
        Test(
            "a quadratic function",
            given([1.0, -2.0], [1.0, 0.0], 0.01),
            use=along_linear,
            call="hessian_vector(gradient, x, v, h) with gradient(x) = [[2, 1], [1, 3]] @ x",
        ),
        Test(
            "a function that is not quadratic",
            normal((4,), (4,), then=(0.1,)),
            points=2,
            use=along_bent,
            call="hessian_vector(gradient, x, v, h) with gradient(x) = x**2 + np.roll(x, 1) * x[::-1]",
        ),
        Test(
            "two calls",
            normal((5,), (5,), then=(0.1,)),
            hidden=True,
            use=counting_calls,
            call="hessian_vector(gradient, x, v, h), and the number of calls of gradient",
        ),
        Test(
            "a long vector v",
            normal((3,), (3,), scale=30.0, then=(0.5,)),
            hidden=True,
            use=along_bent,
            call="hessian_vector(gradient, x, v, h) with gradient(x) = x**2 + np.roll(x, 1) * x[::-1]",
        ),
    ),
    wrong=(
        Wrong(
            "one-sided-difference",
            "gradient(x - h * v)\n    return (ahead - behind) / (2 * h)",
            "gradient(x)\n    return (ahead - behind) / h",
        ),
        Wrong("central-difference-without-two", "(2 * h)", "h"),
        Wrong(
            "argument-ignored",
            "gradient(x + h * v)\n    behind = gradient(x - h * v)",
            "gradient(x + h)\n    behind = gradient(x - h)",
            "v is not used: the same step was added to all elements, which is the product with (1, 1, ..., 1).",
            "Along which line does x move?",
        ),
        Wrong(
            "",
            "(2 * h)",
            "(2 * h * np.linalg.norm(v))",
            "The product was divided by the length of v. It is to be linear in v.",
            "What should come out for 2v?",
        ),
        Wrong(
            "input-changed-in-place",
            "    ahead = gradient(x + h * v)\n    behind = gradient(x - h * v)",
            "    x += h * v\n    ahead = gradient(x)\n    x -= 2 * h * v\n    behind = gradient(x)",
        ),
    ),
    after="Find the largest eigenvalue of a loss's Hessian: multiply a random vector again and again, and normalize it each time.",
)

MAX_PLUS = Task(
    id="4.39",
    title="An einsum that takes the maximum",
    kind="code",
    minutes=40,
    difficulty=2,
    practises="free and summed letters as loops",
    statement=r"""
Write `max_plus(spec, A, B)`: an einsum of two operands in which plus stands for times and the maximum for the sum. For `"ik,kj->ij"` it is
$C_{ij} = \max_k (A_{ik} + B_{kj})$: the best way from $i$ to $j$ over one stop $k$, where gains add up. Letters that are not in the result
are those over which the maximum is taken; a letter that stands twice in one operand means its diagonal. Loops over all letters are fine.

For `"i,i->"`, $(1, 2)$ and $(5, 3)$ it is $\max(6, 5) = 6$.
""",
    name="max_plus",
    stub='''
def max_plus(spec, A, B):
    """An einsum with the maximum for the sum, and plus for times.

    spec: such as "ik,kj->ij".
    Returns an array with an axis for each letter of the result, in their order.
    """
    raise NotImplementedError
''',
    solution="""
def max_plus(spec, A, B):
    operands, out = spec.split("->")
    a, b = operands.split(",")
    sizes = dict(zip(a + b, A.shape + B.shape))
    letters = list(sizes)
    C = np.full([sizes[k] for k in out], -np.inf)
    for index in np.ndindex(*sizes.values()):
        at = dict(zip(letters, index))
        here = tuple(at[k] for k in out)
        term = A[tuple(at[k] for k in a)] + B[tuple(at[k] for k in b)]
        C[here] = max(C[here], term)
    return C
""",
    hint="Make a dict from letter to size. One loop over all combinations of values will do, with three tuples of indices in it.",
    derivation=r"""
An index formula is a program: every letter is a loop, the letters of the result say where the outcome goes, the others only run through. So
go through all combinations of values of all letters. Each gives an element of $A$, one of $B$, and a place in $C$. The maximum of nothing
is $-\infty$, as the sum of nothing is 0: that is what $C$ begins with. With zeros, a maximum of negative numbers would come out as 0.
""",
    tests=(
        Test("a maximum of two", lambda rng: ("i,i->", np.array([1.0, 2.0]), np.array([5.0, 3.0]))),
        Test("matrix and vector", spelled("ij,j->i", (2, 3), (3,)), labels={"i": 2, "j": 3}),
        Test("two matrices", spelled("ik,kj->ij", (2, 4), (4, 3)), points=2, labels={"i": 2, "j": 3, "k": 4}),
        Test("negative numbers", spelled("ik,kj->ij", (2, 3), (3, 2), shift=-10.0), hidden=True),
        Test("the result in another order, all square", spelled("ij,jk->ki", (3, 3), (3, 3)), hidden=True),
        Test("an outer sum of three axes", spelled("bi,bj->bij", (2, 3), (2, 4)), hidden=True),
        Test("a diagonal", spelled("ii,ij->j", (3, 3), (3, 2)), hidden=True),
    ),
    wrong=(
        Wrong(
            "",
            "np.full([sizes[k] for k in out], -np.inf)",
            "np.zeros([sizes[k] for k in out])",
            "The maximum begins with 0, so negative results come out as 0.",
            "What is the maximum of nothing?",
        ),
        Wrong(
            "",
            "max(C[here], term)",
            "C[here] + term if np.isfinite(C[here]) else term",
            "The terms are added up; the maximum is asked for.",
            "Two operations are exchanged against an ordinary einsum. Which ones?",
        ),
        Wrong(
            "",
            "for k in a)] + B",
            "for k in a)] * B",
            "The elements are multiplied; they are to be added.",
            "Two operations are exchanged against an ordinary einsum. Which ones?",
        ),
        Wrong(
            "transposed-result",
            'a, b = operands.split(",")\n',
            'a, b = operands.split(",")\n    out = "".join(sorted(out))\n',
            "The axes of the result stand in alphabetical order; the specification states their order.",
        ),
    ),
    after="Multiply a matrix of gains with itself this way, several times: what do the elements mean? It is Viterbi's algorithm.",
)

TASKS: tuple[Task, ...] = (READ, DIFFERENTIALS, GELU, EINSUM_BACKWARD, HESSIAN_VECTOR, MAX_PLUS)
