"""Bugs in gradients: the chain rule, accumulation, broadcasting, numerical derivatives."""

from __future__ import annotations

from functools import partial

from minilm.exercises.bugs.record import Bug

bug = partial(Bug, family="gradients")

BUGS = (
    bug(
        name="sum-of-a-broadcast-missing",
        title="A broadcast input's gradient is not summed back to its shape",
        why=(
            "The input was stretched by broadcasting, so each of its elements was used several times and its "
            "gradient is the sum over these uses. Here the gradient keeps the shape of the result."
        ),
        right="b_bar = y_bar.sum(axis=0)",
        wrong="b_bar = y_bar",
        shows="The gradient has the result's shape, not the input's; summed over the added axes it is right.",
        look="Compare x_bar.shape with x.shape; sum over the axes along which x was repeated.",
        file="minilm/graph.py",
        old=("        g = sum_to(g, x.shape)\n"),
        new=("        pass\n"),
    ),
    bug(
        name="sum-over-new-axes-only",
        title="Summed over the axes that broadcasting added, not over those of size 1",
        why=(
            "Broadcasting adds axes in front and also stretches axes of size 1; the gradient must be summed "
            "over both kinds. Here the stretched axes were left out."
        ),
        right="x_bar = y_bar.sum(axis=(0, 1), keepdims=True)[0]  # x: (1, n), y: (B, N, n)",
        wrong="x_bar = y_bar.sum(axis=0)[:1]",
        shows=(
            "Right for inputs with fewer axes, wrong for an input with an axis of size 1 such as (1, n) beside (N, n)."
        ),
        look=(
            "For each axis compare the input's size with the result's: where the input has 1 and the result "
            "more, sum with keepdims."
        ),
        file="minilm/ops/reduce.py",
        old="    return reshape(sum(g, axis=axes), shape)",
        new="    return sum(g, axis=axes[:lead])[tuple(slice(0, n) for n in shape)]",
    ),
    bug(
        name="set-not-accumulated",
        title="= where += is needed: the second gradient replaces the first",
        why=(
            "A value that is used twice gets a gradient from each use, and they add up. Here the later one "
            "overwrites the earlier."
        ),
        right="x.grad += local * out.grad",
        wrong="x.grad = local * out.grad",
        shows="Right as long as each value is used once; y = x * x or x + x gives half of the gradient.",
        look="Try y = x + x: the gradient must be 2.",
        file="minilm/graph.py",
        old="slots[index] = as_array(slots[index] + g)",
        new="slots[index] = as_array(g)",
    ),
    bug(
        name="visited-depth-first",
        title="Nodes are visited depth first, not in topological order",
        why=(
            "A node may pass its gradient on only when all of its uses have paid in. Here it is visited while a"
            " use is still missing, and passes on an incomplete sum."
        ),
        right="for node in reversed(topological_order(y)): node.backward()",
        wrong="def walk(node): node.backward(); [walk(x) for x in node.inputs]",
        shows=(
            "Chains and trees are right; a graph in which two paths of different length meet (y = a * a + a) is wrong."
        ),
        look=(
            "Draw the graph and number the nodes in the order of your walk: each node must come after all nodes"
            " that use it."
        ),
        file="minilm/graph.py",
        old=("        stack += (item, None)\n"),
        new=("        order.insert(0, item)\n"),
    ),
    bug(
        name="node-visited-twice",
        title="A node that is used twice is walked twice",
        why=(
            "The node sends its whole accumulated gradient each time it is visited, so what lies before it "
            "counts more than once. Each node must be visited once."
        ),
        right="if node not in seen: seen.add(node); ...",
        wrong="for x in node.inputs: walk(x)  # no set of nodes already seen",
        shows=(
            "Gradients before a shared node are too large, by a factor that grows with the depth; the time "
            "grows exponentially, too."
        ),
        look="Count how often each node's backward runs: once each.",
        file="minilm/graph.py",
        old=("        if id(item) in seen:\n            continue\n"),
        new="",
    ),
    bug(
        name="gradient-not-zeroed",
        title="Gradients of the step before are still there",
        why=(
            "backward adds to the gradients that are stored. Without setting them to zero, each step uses the "
            "sum of all gradients so far."
        ),
        right="optimizer.zero_grad(); loss.backward(); optimizer.step()",
        wrong="loss.backward(); optimizer.step()",
        shows="The first step is right, the second uses g1 + g2, the third g1 + g2 + g3; training overshoots.",
        look="Call it twice with the same input: the second gradient must equal the first, not twice it.",
        file="minilm/training/loop.py",
        old=("        self.optimizer.zero_grad()\n"),
        new="",
    ),
    bug(
        name="factor-two-missing",
        title="The 2 of the square's derivative is missing",
        why="The derivative of u**2 is 2 u u'; here it is u u'.",
        right="x_bar = 2 * (x - t) / n",
        wrong="x_bar = (x - t) / n",
        shows=(
            "Every element is exactly half of what it should be; the direction is right, so a descent still "
            "works, at half the rate."
        ),
        look="Compare one element with (f(x + h) - f(x - h)) / (2 h).",
        file="minilm/ops/reduce.py",
        old="        g = over(g * 2.0, count(x.shape, axis) - correction)",
        new="        g = over(g, count(x.shape, axis) - correction)",
    ),
    bug(
        name="sign-of-the-gradient",
        title="The gradient has the wrong sign",
        why=(
            "The derivative of a difference with respect to what is subtracted is -1, and that of -log u is "
            "-1/u: a minus sign was lost or added."
        ),
        right="b_bar = -y_bar  # y = a - b",
        wrong="b_bar = y_bar",
        shows="The sizes agree, the signs are opposite; a descent climbs.",
        look="Raise the input by 0.001 and see whether the result rises or falls: that is the gradient's sign.",
        file="minilm/ops/arithmetic.py",
        old=("    def grad_b(self, g, _y, _a, _b):\n        return -g\n"),
        new=("    def grad_b(self, g, _y, _a, _b):\n        return g\n"),
    ),
    bug(
        name="local-derivative-only",
        title="The gradient that arrives is not multiplied in",
        why=(
            "By the chain rule a backward rule multiplies the local derivative by the gradient that arrives. "
            "Here the local derivative alone is returned."
        ),
        right="x_bar = y_bar * (1 - y**2)",
        wrong="x_bar = 1 - y**2",
        shows="Right when the gradient that arrives is all ones, wrong for any other.",
        look="Test with an arriving gradient that is not 1: twice y_bar must give twice x_bar.",
        file="minilm/ops/activation.py",
        old="return g * (1.0 - y * y)",
        new="return 1.0 - y * y",
    ),
    bug(
        name="derivative-of-the-other-input",
        title="The derivatives of the two inputs are swapped",
        why=(
            "For y = a * b the derivative with respect to a is b, and with respect to b it is a. Here each "
            "input got the other's."
        ),
        right="a_bar, b_bar = y_bar * b, y_bar * a",
        wrong="a_bar, b_bar = y_bar * a, y_bar * b",
        shows="The right numbers stand in the wrong places; where both inputs are equal nothing shows.",
        look="Take a = 2, b = 3: a moved by 0.001 moves a * b by 0.003.",
        file="minilm/ops/arithmetic.py",
        old=("    def grad_a(self, g, _y, _a, b):\n        return g * b\n"),
        new=("    def grad_a(self, g, _y, _a, b):\n        return g * _a\n"),
    ),
    bug(
        name="product-rule-half",
        title="One half of the product rule is missing",
        why="(u v)' = u' v + u v'. Here one of the factors was taken for a constant.",
        right="dy = du * v + u * dv",
        wrong="dy = du * v",
        shows="The gradient is too small or has another sign; for u = v it is exactly half.",
        look="Write down every place in which x occurs in the formula: each one adds a term.",
        file="minilm/ops/activation.py",
        old="return g * s * (1.0 + x * (1.0 - s))",
        new="return g * s",
    ),
    bug(
        name="quotient-rule-sign",
        title="The quotient rule with its sign turned",
        why=("(u / v)' = (u' v - u v') / v**2, so the denominator's gradient carries a minus sign. Here it does not."),
        right="b_bar = -y_bar * a / b**2",
        wrong="b_bar = y_bar * a / b**2",
        shows="The numerator's gradient is right, the denominator's has the opposite sign.",
        look="For positive a and b a larger denominator makes the quotient smaller: its gradient must be negative.",
        file="minilm/ops/arithmetic.py",
        old="return -g * y / b",
        new="return g * y / b",
    ),
    bug(
        name="power-rule-exponent",
        title="The exponent in the power rule is not lowered",
        why="The derivative of x**n is n * x**(n - 1). Here the exponent stayed n, or the factor n is missing.",
        right="x_bar = y_bar * n * x ** (n - 1)",
        wrong="x_bar = y_bar * n * x**n",
        shows="The ratio to the right gradient is x itself (or 1/n): right at x = 1 only.",
        look="Test at x = 2, n = 3: the derivative is 12, not 24.",
        file="minilm/ops/arithmetic.py",
        old="return g * (b * pow(where(b == 0, 1.0, a), b - 1))",
        new="return g * (b * pow(where(b == 0, 1.0, a), b))",
    ),
    bug(
        name="derivative-at-z-not-a",
        title="sigmoid's derivative a (1 - a) taken at the input z",
        why="The formula a (1 - a) holds for a = sigmoid(z), the output. Here the input z stands in it: z (1 - z).",
        right="z_bar = a_bar * a * (1 - a)",
        wrong="z_bar = a_bar * z * (1 - z)",
        shows=(
            "The derivative is negative for z > 1 and for z < 0, and grows without bound; the right one lies "
            "between 0 and 0.25."
        ),
        look="At z = 0 the derivative is 0.25. Which of the two variables is the sigmoid's output?",
        file="minilm/ops/activation.py",
        old=("    def grad_x(self, g, y, _x):\n        return g * y * (1.0 - y)\n"),
        new=("    def grad_x(self, g, y, _x):\n        return g * _x * (1.0 - _x)\n"),
    ),
    bug(
        name="derivative-at-a-not-z",
        title="The activation is applied again before its derivative is taken",
        why="a is already sigmoid(z); here the derivative is taken at sigmoid(a), as if a were the input.",
        right="z_bar = a_bar * a * (1 - a)",
        wrong="z_bar = a_bar * sigmoid(a) * (1 - sigmoid(a))",
        shows=(
            "All derivatives lie between 0.196 and 0.25, whatever the input; they do not vanish where the "
            "sigmoid saturates."
        ),
        look="Far from 0 (z = 10) the derivative must be almost 0.",
        file="minilm/ops/activation.py",
        old="return g * y * (1.0 - y)",
        new="return g * sigmoid(y) * (1.0 - sigmoid(y))",
    ),
    bug(
        name="tanh-derivative-without-square",
        title="tanh's derivative 1 - y**2 without the square",
        why="The derivative of y = tanh(x) is 1 - y**2; here it is 1 - y.",
        right="x_bar = y_bar * (1 - y**2)",
        wrong="x_bar = y_bar * (1 - y)",
        shows=(
            "Right at x = 0 and for large positive x; for negative x it lies between 1 and 2, where the right "
            "one is below 1."
        ),
        look="tanh is odd, so its derivative is the same at x and -x. Is yours?",
        file="minilm/ops/activation.py",
        old="return g * (1.0 - y * y)",
        new="return g * (1.0 - y)",
    ),
    bug(
        name="relu-derivative-at-output-of-ones",
        title="ReLU lets the whole gradient through",
        why=(
            "ReLU's derivative is 0 where the input is negative. Here the gradient passes everywhere, as if the"
            " derivative were 1."
        ),
        right="x_bar = y_bar * (x > 0)",
        wrong="x_bar = y_bar",
        shows="Right where the input is positive; where it is negative there is a gradient and should be none.",
        look="Look at an element with a negative input: the output stays 0 when it is nudged.",
        file="minilm/backend/reference.py",
        old="return g * (y != 0)",
        new="return g",
    ),
    bug(
        name="relu-masks-the-wrong-side",
        title="ReLU's mask lets the negative side through",
        why=(
            "The gradient passes where the input is positive. Here the comparison is turned round (or the mask "
            "is taken of the gradient and not of the input)."
        ),
        right="x_bar = y_bar * (x > 0)",
        wrong="x_bar = y_bar * (x < 0)",
        shows="Zeros stand where numbers should be and numbers where zeros should be.",
        look="For x = [-1, 2] and y_bar = [1, 1] the result is [0, 1].",
        file="minilm/backend/reference.py",
        old="return g * (y != 0)",
        new="return g * (y == 0)",
    ),
    bug(
        name="leaky-slope-forgotten",
        title="The slope of the negative side is missing in the backward pass",
        why=(
            "A leaky ReLU passes slope * y_bar where the input is negative. Here that side gets 0, as in a plain ReLU."
        ),
        right="x_bar = y_bar * np.where(x > 0, 1.0, slope)",
        wrong="x_bar = y_bar * (x > 0)",
        shows="Right for positive inputs; 0 instead of slope * y_bar for negative ones.",
        look="Nudge a negative input: the output moves by slope times as much.",
        file="minilm/ops/activation.py",
        old="return where(x > 0, g, g * negative_slope)",
        new="return where(x > 0, g, 0.0)",
    ),
    bug(
        name="transpose-missing-in-backward",
        title="A transpose is missing in the backward pass of a matrix product",
        why=(
            "For Y = X W the gradients are X_bar = Y_bar W^T and W_bar = X^T Y_bar. Here a matrix is used as it stands."
        ),
        right="x_bar = y_bar @ w.T",
        wrong="x_bar = y_bar @ w",
        shows="An error of shapes; with square matrices no error, and wrong numbers.",
        look=(
            "Write the shapes below each factor: (N, m) @ (m, n) gives (N, n). Test with three sizes that all differ."
        ),
        file="minilm/ops/linalg.py",
        old="matmul(g, swap_last(b))",
        new="matmul(g, b)",
    ),
    bug(
        name="products-swapped-in-backward",
        title="The factors of a product stand in the wrong order",
        why="Matrix products do not commute: W_bar is X^T Y_bar, not Y_bar^T X (that is its transpose).",
        right="w_bar = x.T @ y_bar",
        wrong="w_bar = y_bar.T @ x",
        shows="The gradient is the transpose of the right one; with a square W no error shows it.",
        look="The gradient of W has W's shape, and its element (i, j) is the sum over the batch of x_i * y_bar_j.",
        file="minilm/ops/linalg.py",
        old="return matmul(swap_last(a), g)",
        new="return reshape(matmul(swap_last(g), a), _b.shape)",
    ),
    bug(
        name="bias-gradient-not-summed",
        title="The bias's gradient is not summed over the batch",
        why=(
            "The same bias is added to every row, so its gradient is the sum of the rows of y_bar. Here it has "
            "one row per example."
        ),
        right="b_bar = y_bar.sum(axis=0)",
        wrong="b_bar = y_bar",
        shows="Shape (N, n) instead of (n,); an update by it turns b into a matrix.",
        look="b_bar.shape must be b.shape.",
        file="minilm/ops/linalg.py",
        old="dev.sum_leading(g) if needs[2]",
        new="g.reshape(-1, outputs)[0] if needs[2]",
    ),
    bug(
        name="bias-gradient-forgotten",
        title="The bias gets no gradient",
        why=(
            "The bias takes part in y = x W + b with derivative 1. Here its gradient is 0 or was left out, and "
            "it is never learned."
        ),
        right="return x_bar, w_bar, y_bar.sum(axis=0)",
        wrong="return x_bar, w_bar, np.zeros_like(b)",
        shows="The bias stays at its starting value; the loss falls, but not as far as it could.",
        look="After one step compare every parameter with what it was: all of them must have moved.",
        file="minilm/ops/conv.py",
        old="dev.sum(g, (0, 2, 3)) if needs[2] else None",
        new="dev.sum(g, (0, 2, 3)) * 0 if needs[2] else None",
    ),
    bug(
        name="one-sided-difference",
        title="A one-sided difference where a central one was asked for",
        why=(
            "(f(x + h) - f(x)) / h has an error of the order of h, the central difference (f(x + h) - f(x - h))"
            " / (2 h) one of h**2."
        ),
        right="(f(x + h) - f(x - h)) / (2 * h)",
        wrong="(f(x + h) - f(x)) / h",
        shows="The result is off by about h * f''(x) / 2: 0.00001 instead of 0.0000000001 for h = 0.00001.",
        look="Take f(x) = x**2: the central difference gives 2 x up to rounding, the one-sided one gives 2 x + h.",
        file="minilm/gradcheck.py",
        old=("for sign in (1.0, -1.0))\n    return (above - below) / (2 * eps)"),
        new=("for sign in (1.0, 0.0))\n    return (above - below) / eps"),
    ),
    bug(
        name="central-difference-without-two",
        title="The central difference is divided by h, not by 2 h",
        why="The two points x + h and x - h lie 2 h apart, and the slope is the rise divided by this distance.",
        right="(f(x + h) - f(x - h)) / (2 * h)",
        wrong="(f(x + h) - f(x - h)) / h",
        shows="Every derivative is exactly twice the right one.",
        look="Take f(x) = x: the slope is 1.",
        file="minilm/gradcheck.py",
        old="return (above - below) / (2 * eps)",
        new="return (above - below) / eps",
    ),
    bug(
        name="step-of-the-difference-too-small",
        title="The step of the numerical derivative is so small that rounding eats it",
        why=(
            "f(x + h) and f(x - h) agree in almost all digits, and their difference keeps only the rounding "
            "errors. In float64 a central difference is best near h = 1e-5, in float32 near 1e-2."
        ),
        right="h = 1e-5",
        wrong="h = 1e-15",
        shows="The derivative is 0 or jumps in coarse steps, and gets worse as h gets smaller.",
        look="Print the derivative for h = 1e-2, 1e-4, ..., 1e-14: it gets better, then worse.",
    ),
    bug(
        name="detached-by-mistake",
        title="A value left the graph, and no gradient flows through it",
        why="Taking the bare numbers (x.data, float(x), x.detach()) makes a constant. The graph ends there.",
        right="y = x * scale",
        wrong="y = x.detach() * scale",
        shows=(
            "The gradient is missing (None or 0) for everything before this point, or smaller than it should be"
            " where another path remains."
        ),
        look="Follow the gradient backward from the loss and look for the first value that has none.",
        file="minilm/ops/linalg.py",
        old=("        y = matmul(x, transpose(weight))\n"),
        new=("        y, bias = matmul(x, transpose(weight)), bias.detach()\n"),
    ),
    bug(
        name="second-path-forgotten",
        title="Only one of two paths counts",
        why=(
            "The input reaches the result by two ways, and by the chain rule their gradients add up. Here one "
            "was left out."
        ),
        right="x_bar = y_bar + y_bar @ w.T  # y = x + x @ w",
        wrong="x_bar = y_bar @ w.T",
        shows="What is missing is exactly the other path's part of the gradient.",
        look="Draw every arrow that leaves x; each brings one term back.",
        file="minilm/trace/explain.py",
        old="self.uses[call.inputs[i].index].append((call, i))",
        new="self.uses[call.inputs[i].index] = [(call, i)]",
    ),
    bug(
        name="gradient-aliases-the-input",
        title="Two gradients are the same array",
        why=(
            "The gradient that arrived was stored without a copy in two places. Adding to one of them in place "
            "changes the other."
        ),
        right="a.grad, b.grad = g.copy(), g.copy()",
        wrong="a.grad, b.grad = g, g",
        shows="A later += on one gradient appears in the other as well: values too large, depending on the order.",
        look="np.shares_memory(a.grad, b.grad) must be False.",
        file="minilm/tensor.py",
        old="arrived[0] if own else arrived[0].copy()",
        new="arrived[0]",
    ),
    bug(
        name="leaf-not-reached",
        title="The walk does not reach every input",
        why=(
            "Some inputs never get their gradient because the walk passes on only one of a node's inputs, or "
            "stops early."
        ),
        right="for x, g in zip(node.inputs, grads): x.grad += g",
        wrong="node.inputs[0].grad += grads[0]",
        shows="The first input's gradient is right, another's is None or 0.",
        look="Take y = a * b and ask for both gradients.",
        file="minilm/graph.py",
        old=("    oldest = min(item.seq if isinstance(item, Node) else 0 for item, _ in targets) if targets else 0\n"),
        new=("    oldest = min((item.seq for item, _ in targets or () if isinstance(item, Node)), default=0)\n"),
    ),
    bug(
        name="max-gradient-to-all",
        title="max gives its gradient to every element",
        why="Only the element that is the maximum moves the result. Here all of them get the gradient.",
        right="x_bar = y_bar * (x == x.max()) / (x == x.max()).sum()",
        wrong="x_bar = y_bar * np.ones_like(x)",
        shows="The gradient's sum is n times as large as it should be; elements that do not matter have one.",
        look="Nudge an element that is not the largest: the maximum stays.",
        file="minilm/ops/reduce.py",
        old="return spread(share, x.shape, axis) * chosen",
        new="return spread(share, x.shape, axis)",
    ),
    bug(
        name="clip-gradient-not-masked",
        title="clip passes the gradient on where it cut",
        why=(
            "Where a value was cut to the bound, nudging it changes nothing, and its gradient is 0. Here the "
            "gradient passes everywhere."
        ),
        right="x_bar = y_bar * ((x > low) & (x < high))",
        wrong="x_bar = y_bar",
        shows="Right inside the bounds; outside there is a gradient and should be none.",
        look="Look at an element beyond the bound.",
        file="minilm/ops/activation.py",
        old="return g * inside",
        new="return g",
    ),
    bug(
        name="fancy-index-adds-once",
        title="x[indices] += 1 adds once per index, however often it occurs",
        why=(
            "With repeated indices NumPy computes x[indices] + 1 first and then stores it, so of several "
            "additions to one place only the last is kept. np.add.at adds every one."
        ),
        right="np.add.at(x_bar, ids, y_bar)",
        wrong="x_bar[ids] += y_bar",
        shows=(
            "Right as long as every index occurs once; an id that occurs three times gets only the last of its "
            "three gradients."
        ),
        look="Test with a repeated index: ids = [2, 2, 0].",
        file="minilm/backend/cpu.py",
        old=("        self.xp.add.at(out, index, values.astype(wide, copy=False))\n"),
        new=("        out[index] += values\n"),
    ),
    bug(
        name="inner-derivative-forgotten",
        title="The inner derivative is missing",
        why=(
            "The chain rule multiplies by the derivative of what stands within: the slope of f(w x) in w is "
            "f'(w x) times x."
        ),
        right="(1 - a**2) * x",
        wrong="1 - a**2",
        shows="Right where the inner factor is 1.",
        look="Name the inner function, and write its derivative beside the outer one's.",
    ),
    bug(
        name="reversed-breadth-first",
        title="The order of the walk is a reversed breadth-first search",
        why=(
            "Breadth-first search finds a node on its shortest path from the output. A node that is also "
            "reached by a longer path must come before all nodes on it."
        ),
        right="append a node after all its parents",
        wrong="breadth_first(output)[::-1]",
        shows="Right for chains and plain trees; wrong where a short and a long path lead to one node.",
        look="y = u + x with u = f(x): x is found from y at once, and must still come before u.",
    ),
)
