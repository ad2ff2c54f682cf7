"""Languages, by their script and their function words."""

import pytest

from minilm.data.corpus.language import languages
from minilm.data.corpus.quality import measures
from tests.data.corpus.test_quality import CHINESE, ENGLISH, GERMAN, JAPANESE

SENTENCES = {
    "en": [
        ENGLISH,
        "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience.",
        "This library provides a parser for JSON with no dependencies. It can be used from C and C++ programs.",
    ],
    "zh": [
        CHINESE,
        "人人生而自由，在尊嚴和權利上一律平等。",
        "人人生而自由，在尊严和权利上一律平等。", "这个库（library）可以解析 JSON 文件。",
    ],
    "other": [
        GERMAN, JAPANESE,
        "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et de conscience.",
        "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren. Zij zijn begiftigd met verstand en geweten.",
        "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de razón y conciencia.",
        "Alle mennesker er født frie og lige i værdighed og rettigheder. De er udstyret med fornuft og samvittighed.",
        "Все люди рождаются свободными и равными в своем достоинстве и правах.",
        "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
        "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
        "", "1 2 3", "?!",
    ],
}  # fmt: skip


@pytest.mark.parametrize("language", SENTENCES)
def test_sentences(language):
    found = measures(SENTENCES[language])
    assert languages(found["unspaced_words"], found["english_words"], found["han"]).tolist() == [language] * len(
        SENTENCES[language]
    )


def test_case_and_punctuation_do_not_hide_a_word():
    assert measures(["THE, the; (The) «the» word"])["english_words"].tolist() == [0.8]
