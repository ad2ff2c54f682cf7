"""The digits in words of 22 languages: what chapter 8 pairs with images of digits.

Written down here, and compared with num2words 0.5.14 (Chinese: with the Japanese numerals, which have the same characters). Languages that
differ from another one in few of these words, such as Norwegian from Danish, are left out: they would make it easy to guess one.
"""

from __future__ import annotations

NUMBER_WORDS: dict[str, tuple[str, ...]] = {
    name: tuple(words.split())
    for name, words in {
        "English": "zero one two three four five six seven eight nine",
        "German": "null eins zwei drei vier fünf sechs sieben acht neun",
        "Dutch": "nul één twee drie vier vijf zes zeven acht negen",
        "Danish": "nul et to tre fire fem seks syv otte ni",
        "Swedish": "noll ett två tre fyra fem sex sju åtta nio",
        "Icelandic": "núll einn tveir þrír fjórir fimm sex sjö átta níu",
        "French": "zéro un deux trois quatre cinq six sept huit neuf",
        "Spanish": "cero uno dos tres cuatro cinco seis siete ocho nueve",
        "Portuguese": "zero um dois três quatro cinco seis sete oito nove",
        "Italian": "zero uno due tre quattro cinque sei sette otto nove",
        "Romanian": "zero unu doi trei patru cinci șase șapte opt nouă",
        "Polish": "zero jeden dwa trzy cztery pięć sześć siedem osiem dziewięć",
        "Czech": "nula jedna dva tři čtyři pět šest sedm osm devět",
        "Slovene": "nič ena dve tri štiri pet šest sedem osem devet",
        "Russian": "ноль один два три четыре пять шесть семь восемь девять",
        "Latvian": "nulle viens divi trīs četri pieci seši septiņi astoņi deviņi",
        "Lithuanian": "nulis vienas du trys keturi penki šeši septyni aštuoni devyni",
        "Finnish": "nolla yksi kaksi kolme neljä viisi kuusi seitsemän kahdeksan yhdeksän",
        "Hungarian": "nulla egy kettő három négy öt hat hét nyolc kilenc",
        "Turkish": "sıfır bir iki üç dört beş altı yedi sekiz dokuz",
        "Indonesian": "nol satu dua tiga empat lima enam tujuh delapan sembilan",
        "Chinese": "零 一 二 三 四 五 六 七 八 九",
    }.items()
}

__all__ = ["NUMBER_WORDS"]
