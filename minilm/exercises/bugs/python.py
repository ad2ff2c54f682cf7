"""Bugs in Python itself, that any program may have."""

from __future__ import annotations

from functools import partial

from minilm.exercises.bugs.record import Bug

bug = partial(Bug, family="Python")

BUGS = (
    bug(
        name="print-instead-of-return",
        title="The result is printed, not returned",
        why="print shows a value to the reader; only return gives it to the caller.",
        right="return y",
        wrong="print(y)",
        shows="The function returns None, and the value stands on the screen.",
        look="Look at the function's last line.",
    ),
    bug(
        name="none-returned",
        title="A path through the function returns nothing",
        why="A function that ends without return gives None. Here at least one path does.",
        right="if n == 0: return 0.0",
        wrong="if n == 0: y = 0.0",
        shows="None for some inputs (or all); \"unsupported operand type(s): 'NoneType'\" further on.",
        look="Follow each branch to its end: does it return?",
    ),
    bug(
        name="input-changed-in-place",
        title="The input is changed",
        why=(
            "x += 1, x[...] = and x.sort() change the array that the caller passed in. Work on a copy, or use "
            "the form that makes a new array."
        ),
        right="y = x + 1",
        wrong="x += 1; y = x",
        shows=(
            "The result is right, but the caller's array is another afterwards; a second call gives another result."
        ),
        look="Compare the input before and after the call.",
    ),
    bug(
        name="view-returned",
        title="The result is a view of the input",
        why=(
            "Slices, reshape and transpose share memory with the array they came from. Whoever changes the "
            "result changes the input."
        ),
        right="return x[1:].copy()",
        wrong="return x[1:]",
        shows="The values are right; changing the result changes the input.",
        look="np.shares_memory(x, result) must be False.",
    ),
    bug(
        name="mutable-default",
        title="A list or dict as default value",
        why=(
            "A default value is made once, when the function is defined, and shared by all calls. What one call"
            " puts in, the next one finds."
        ),
        right="def f(x, seen=None): seen = [] if seen is None else seen",
        wrong="def f(x, seen=[]): ...",
        shows="The first call is right, later ones remember those before.",
        look="Call it twice with the same input.",
    ),
    bug(
        name="state-kept-between-calls",
        title="Something is kept from one call to the next",
        why=(
            "A global name, an attribute or a default value holds what an earlier call left, so the same input "
            "gives another result."
        ),
        right="total = 0.0  # inside the function",
        wrong="total = 0.0  # outside; the function adds to it",
        shows="The first call is right, the second is not.",
        look="Call it twice with the same input.",
    ),
    bug(
        name="name-shadowed",
        title="A name is used twice",
        why=(
            "An inner assignment hides the value that is needed later: a loop variable with the name of an "
            "argument, or sum = ... over the built-in."
        ),
        right="for i, row in enumerate(x): ...",
        wrong="for x in x: ...",
        shows=(
            "After the loop the name holds the last element, or calling it fails: \"'float' object is not callable\"."
        ),
        look="List all names that are assigned, and look for one that occurs twice.",
    ),
    bug(
        name="loop-returns-early",
        title="return stands inside the loop",
        why="The function ends in the first round. return belongs behind the loop, at its indentation.",
        right="for v in x: total += v",
        wrong="for v in x: total += v; return total",
        shows="The result is that of the first element alone; right for inputs with one.",
        look="Look at the indentation of return.",
    ),
    bug(
        name="range-off-by-one",
        title="range ends one too early or too late",
        why="range(n) gives 0 to n - 1, and range(a, b) ends before b.",
        right="for i in range(1, n + 1)",
        wrong="for i in range(1, n)",
        shows="The last element is missing (or an index is out of range).",
        look="Print the first and the last i.",
        file="minilm/ops/scan.py",
        old=("    while width < n:\n"),
        new=("    while 2 * width < n:\n"),
    ),
    bug(
        name="generator-used-up",
        title="A generator is run through twice",
        why="A generator, zip, map or filter can be run through once; the second time it is empty.",
        right="pairs = list(zip(a, b))",
        wrong="pairs = zip(a, b)",
        shows="The second loop does nothing; sums are 0 and lists empty.",
        look="Print list(...) of it twice.",
        file="minilm/optim/clip.py",
        old=("    if not params:\n"),
        new=("    if False:\n"),
    ),
    bug(
        name="list-multiplied-aliases",
        title="[[]] * n holds the same list n times",
        why="Multiplying a list repeats the reference, so all rows are one list. A comprehension makes n of them.",
        right="rows = [[0] * m for _ in range(n)]",
        wrong="rows = [[0] * m] * n",
        shows="A change in one row appears in all.",
        look="Set rows[0][0] = 1 and print rows.",
    ),
    bug(
        name="recursion-without-end",
        title="A recursion without an end",
        why=(
            "Each call must come nearer to a case that returns without calling. Here the case is missing or "
            "never reached."
        ),
        right="if n == 0: return 1",
        wrong="return n * f(n - 1)",
        shows="RecursionError: maximum recursion depth exceeded.",
        look="Which input ends it? Follow the calls from the smallest one.",
    ),
    bug(
        name="exception-swallowed",
        title="An exception is swallowed",
        why=(
            "except: pass hides every error, misspelled names included. Catch the one that is expected, around "
            "the line that raises it."
        ),
        right="except KeyError: return default",
        wrong="except Exception: pass",
        shows="The function returns None or a half-made result where something else went wrong.",
        look="Remove the try, and see what is raised.",
    ),
    bug(
        name="xor-for-power",
        title="^ where ** is meant",
        why="In Python ^ is the bitwise exclusive or; a power is **.",
        right="x**2",
        wrong="x ^ 2",
        shows="3 ^ 2 is 1; with floats a TypeError.",
        look="Test with 3.",
    ),
    bug(
        name="is-for-equal",
        title="is where == is meant",
        why=(
            "is asks whether two names hold the same object, == whether the values are equal. Small integers "
            "and some texts are shared, so that is seems to work."
        ),
        right="if a == b",
        wrong="if a is b",
        shows="Right for small numbers, wrong for large ones and for arrays and texts made at run time.",
        look="Test with 1000 computed in two ways.",
    ),
    bug(
        name="hard-coded-size",
        title="A size is written into the code",
        why="A number of the example (3 columns, a batch of 4) stands where the input's own size belongs.",
        right="n = x.shape[1]",
        wrong="n = 3",
        shows="Right for the example, wrong for all other sizes.",
        look="Look for numbers in the code, and ask of each where it comes from.",
    ),
    bug(
        name="argument-ignored",
        title="An argument is never used",
        why="The function was given a value and computes as if it always had the same one.",
        right="return x / (s + eps)",
        wrong="return x / (s + 1e-5)",
        shows="Right for the default value, unchanged for any other.",
        look="Call it with two values of the argument: the results must differ.",
    ),
    bug(
        name="indices-became-floats",
        title="Integer ids became floats",
        why=(
            "Ids that pass through a float array or a true division are floats, and an array cannot be indexed by them."
        ),
        right="ids = np.zeros(n, dtype=np.int64)",
        wrong="ids = np.zeros(n)",
        shows=(
            "IndexError: arrays used as indices must be of integer (or boolean) type; or ids such as 3.0 in the result."
        ),
        look="Print the dtype of the ids; use // for whole quotients and give np.zeros and np.array a dtype.",
    ),
    bug(
        name="negative-index-wraps",
        title="An index of -1 is the last element",
        why="x[i - 1] for i = 0 is x[-1], the last element; Python raises no error.",
        right="for i in range(1, n): use(x[i - 1], x[i])",
        wrong="for i in range(n): use(x[i - 1], x[i])",
        shows="One pair too many: the last element beside the first.",
        look="Print the index pairs of the first round.",
    ),
    bug(
        name="replaced-once-only",
        title="Only the first place is replaced",
        why="The loop ends at the first match. All of them are to be replaced.",
        right="while i < len(x) - 1: ...",
        wrong="if match: replace; break",
        shows="Right where the pattern occurs once.",
        look="Try an input in which it occurs twice.",
    ),
    bug(
        name="recursion-too-deep",
        title="The recursion is as deep as the input",
        why=(
            "Python allows about 1,000 calls within each other. A chain of 2,000 nodes needs a loop with a "
            "stack of its own."
        ),
        right="while stack: node = stack.pop()",
        wrong="def visit(node): visit(parent)",
        shows="RecursionError for deep graphs, right for small ones.",
        look="How many calls are open at the deepest place?",
    ),
    bug(
        name="order-reversed",
        title="The result is in reversed order",
        why="The elements are right and stand the other way round.",
        right="return found[::-1]",
        wrong="return found",
        shows="Right for one element, and for lists that read the same both ways.",
        look="In which order were they appended?",
    ),
)
