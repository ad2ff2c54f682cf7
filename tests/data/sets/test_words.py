import io
import tarfile

from minilm.data.sets.words import misspellings, spam_assassin, weat_words


def test_misspellings(put):
    put("misspellings", "luck lock luk\n\nesteem estime\nluck lukc\nnaïve naive\n".encode())
    assert misspellings() == {"luck": ["lock", "luk", "lukc"], "esteem": ["estime"], "naïve": ["naive"]}


def test_weat_words(put):
    put("weat", b'{"flowers": ["aster"], "insects": ["ant", "fly"]}')
    assert weat_words() == {"flowers": ["aster"], "insects": ["ant", "fly"]}


def test_spam_assassin(put):
    messages = {
        "package/data/spam-1/1.txt": b"From: x\nSubject: y\n\nBuy\n\nnow",
        "package/data/easy-ham-1/2.txt": b"From: z\r\n\r\ncaf\xe9",
        "package/data/file_list.json": b"{}",
        "package/lib/1.txt": b"no message",
    }
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in messages.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    put("spam-assassin", file.getvalue())
    texts, labels = spam_assassin()
    assert texts == ["café", "Buy\n\nnow"]
    assert labels.tolist() == [0, 1]
    assert spam_assassin(headers=True)[0][1].startswith("From: x")
