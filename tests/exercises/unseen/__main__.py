"""Prints each unseen wrong answer with the cause that the grader gives, and counts."""

from __future__ import annotations

import sys
from collections import Counter

from tests.exercises.unseen import chapters, corpus, own
from tests.exercises.unseen import judged as graded


def main() -> None:
    counts: Counter[str] = Counter()
    slowest = 0.0
    of_chapter_10 = chapters.unseen(corpus.ENTRIES, corpus.LATER, corpus.LAST)
    for unseen in (*own.FIRST, *chapters.unseen(), *of_chapter_10):
        (judged,) = graded([unseen])
        slowest = max(slowest, judged.seconds)
        counts[judged.verdict] += 1
        cause = judged.result.cause or (judged.result.causes[0] if judged.result.causes else None)
        says = (
            f"{cause.name} ({cause.confidence:.2f}, {cause.source}): {cause.says} | {cause.evidence}" if cause else "-"
        )
        if len(sys.argv) < 2 or judged.verdict in sys.argv[1:]:
            print(
                f"{judged.verdict:9}  {unseen.task.id:4}  {unseen.what}  [{', '.join(unseen.causes)}]\n           {says}"
            )
    total = sum(counts.values())
    print(
        ", ".join(f"{n} {name} ({n / total:.1%})" for name, n in sorted(counts.items())),
        f"of {total}; slowest {slowest:.2f} s",
    )


if __name__ == "__main__":
    main()
