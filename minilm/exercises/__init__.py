"""Exercises: tasks, a grader that says what is wrong, the library of classic bugs, and what a teacher needs."""

from __future__ import annotations
