"""Tables and picture as HTML, and files."""

import json

import pytest

import minilm as ml
from tests.profile.test_table import example

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("two_threads")]


class TestHtml:
    def test_tables_and_picture(self):
        html = example()._repr_html_()
        assert html.count("<table>") == 2
        assert html.count("<img ") == 1
        assert 'alt="Roofline' in html
        assert "<details><summary>By Module</summary>" in html
        assert "<td class=n>[step]</td>" in html
        assert "<script" not in html

    def test_names_are_escaped(self):
        with ml.profile() as p, p.section("<b>"):
            pass
        assert "[&lt;b&gt;]" in p._repr_html_()


class TestSave:
    def test_json(self, tmp_path):
        p = example()
        p.save(tmp_path / "p.json")
        data = json.loads((tmp_path / "p.json").read_text())
        assert data["total_time"] == pytest.approx(512e-6)
        assert data["peak"] == {"bytes": 280_008, "op": "matmul", "stage": "backward", "module": ""}
        assert data["ops"][0]["op"] == "matmul"
        assert data["ops"][0]["flops"] == 4_000_000
        assert [row["name"] for row in data["modules"]] == ["Sequential", "0", "(outside modules)"]

    @pytest.mark.slow
    def test_page_and_pictures(self, tmp_path):
        p = example()
        for name in ("p.html", "p.png", "p.svg", "again.svg"):
            p.save(str(tmp_path / name))
        assert (tmp_path / "p.html").read_text(encoding="utf-8").startswith("<!doctype html>")
        assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / "p.svg").read_bytes() == (tmp_path / "again.svg").read_bytes()

    def test_another_ending(self, tmp_path):
        with pytest.raises(ValueError, match="must end in .json, .html, .png or .svg"):
            example().save(tmp_path / "p.txt")
