import shutil

import pytest

from minilm.data import DataError, python_questions
from minilm.data.sets.questions import plain

FAQ = r"""
===========
Toy FAQ
===========

.. only:: html

   .. contents::

.. XXX a comment
   that goes on?

General
=======

.. _faq-why:

Why is ``x`` so *slow*?
-----------------------

Yes.  See :func:`os.kill`,
:mod:`documented in
the manual <pdb>` and `Eric <https://example.org/>`_::

   for i in range(3):
       print("``i``")

.. code-block:: python
   :emphasize-lines: 1

   y = 1

   z = 2

.. index:: single: nothing

And then:

* one
  more::

     code of one

* two

.. note::

   Mind *this*.

No question
-----------

Left out.

Is it empty?
------------

.. seealso:: the others

Last one?
---------
   >>> 1
   1
"""


def test_questions_and_answers(put):
    put("python-questions", FAQ.encode(), *[b""] * 7)
    assert python_questions() == [
        (
            "Why is x so slow?",
            'Yes. See os.kill(), documented in the manual and Eric:\n\n    for i in range(3):\n        print("``i``")\n\n'
            "    y = 1\n\n    z = 2\n\nAnd then:\n\n* one more:\n\n    code of one\n\n* two\n\nMind this.",
        ),
        ("Last one?", "    >>> 1\n    1"),
    ]


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("``a *b*``", "a *b*"), (":meth:`~list.sort`", "sort()"), (":func:`f(x)`", "f(x)"), (":c:func:`Py_Main`", "Py_Main()"),
        (":pep:`8`", "PEP 8"), (":ref:`the-faq <faq>`", "the-faq"), (":ref:`the-faq_x`", "the faq x"), ("**b** and *i*", "b and i"),
        ("2 * 3 * 4", "2 * 3 * 4"), ("*args", "*args"), (r"\*x\*", "*x*"), ("`wiki`_ page", "wiki page"), (":mod:`!old`", "old"),
        ("f(*a, **b)", "f(*a, **b)"), ("__init__", "__init__"), ("a`b", "a`b"),
    ],
)  # fmt: skip
def test_markup(markup, text):
    assert plain(markup) == text


def test_what_is_no_text_is_named(put):
    put("python-questions", b"\xff", *[b""] * 7)
    with pytest.raises(DataError, match=r"design\.rst\.txt is no text in UTF-8"):
        python_questions()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs Debian's apt-get")
def test_the_published_questions(published):
    pairs = python_questions()
    assert len(pairs) == 175
    assert pairs[3][0] == "Why are Python strings immutable?"
    assert dict(pairs)['Do I have to like "Monty Python\'s Flying Circus"?'] == "No, but it helps. :)"
    assert not any("::" in answer.split("\n")[0] for _, answer in pairs)
