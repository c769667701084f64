"""Which language a text is in: the script decides first, then words, then statistics.

"Unknown" is an answer (`und`), and a wrong name for a language is worse. Tags follow BCP 47.
Burmese in the Zawgyi encoding is `my-Qaag`, as CLDR calls it; Malay in Jawi is `ms-Arab`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

import msgspec

UNKNOWN = "und"

# What statistics may choose from: the region's languages in Latin letters, and the neighbours
# that they are most often taken for.
REGION = ("en", "vi", "tl", "id", "ms", "jv", "pt", "de", "fr", "es", "nl", "it")

# What people call them, in English.
LANGUAGE_NAMES = {
    "en": "English",
    "fil": "Filipino",
    "id": "Indonesian",
    "km": "Khmer",
    "lo": "Lao",
    "ms": "Malay",
    "my": "Burmese",
    "my-Qaag": "Burmese in Zawgyi",
    "ta": "Tamil",
    "tet": "Tetum",
    "th": "Thai",
    "tl": "Filipino",
    "und": "not known",
    "vi": "Vietnamese",
    "zh": "Chinese",
}

Guess = Callable[[str], Sequence[tuple[str, float]]]
"""Languages out of `REGION` for a text, each with its share of probability, likeliest first."""

# Indonesian and Malay are one language to statistics, and Javanese is near.
_MALAY = ("id", "ms", "jv")

_SPANS = (
    ("Thai", 0x0E00, 0x0E7F),
    ("Laoo", 0x0E80, 0x0EFF),
    ("Khmr", 0x1780, 0x17FF),
    ("Mymr", 0x1000, 0x109F),
    ("Mymr", 0xAA60, 0xAA7F),
    ("Taml", 0x0B80, 0x0BFF),
    ("Deva", 0x0900, 0x097F),
    ("Arab", 0x0600, 0x06FF),
    ("Arab", 0x0750, 0x077F),
    ("Kana", 0x3040, 0x30FF),
    ("Hang", 0xAC00, 0xD7AF),
    ("Hani", 0x3400, 0x9FFF),
    ("Cyrl", 0x0400, 0x04FF),
    ("Grek", 0x0370, 0x03FF),
    ("Latn", 0x0041, 0x024F),
    ("Latn", 0x1E00, 0x1EFF),
)
_OF_SCRIPT = {
    "Thai": "th",
    "Laoo": "lo",
    "Khmr": "km",
    "Taml": "ta",
    "Hani": "zh",
    "Kana": "ja",
    "Hang": "ko",
    "Deva": "hi",
    "Cyrl": "und-Cyrl",
    "Grek": "el",
}
_SHARE = 0.25
_LEAST_LETTERS = 12
_SURE = 0.6
_SHAN = re.compile("[\u1075-\u1081\u1022\u1035\u1083-\u1089]")
_ZAWGYI = re.compile(
    "(?:^|[\\s\u104a\u104b])\u1031|[\u1060-\u1097]|\u1039(?![\u1000-\u1021])|[\u103d\u103e]\u103b"
)
_JAWI = re.compile("[\u0686\u06a0\u06a4\u06ac\u06bd\u06cf\u0762\u06d1]")
_VIETNAMESE = re.compile("[ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]")
_WORD = re.compile(r"[a-zñáéíóúâêôãõçü'’-]+")

_TETUM = frozenset(
    """ne'ebé ne’ebé ita-nia ha'u ha’u mak ida no iha husi hosi atu sira nia la'ós la’ós maibé
    tanba bele labele tenke hotu ema katak ne'e ne’e sei ona ba ka molok aban ohin direitu
    kontra hamutuk favór halo fó hetan simu haruka nasaun liu-husi liuhusi""".split()
)
_TETUM_SURE = frozenset(
    """ne'ebé ne’ebé ita-nia ha'u ha’u ne'e ne’e labele katak sira-nia nia-nia la'ós la’ós
    hamutuk tanba maibé molok haruka simu ohin ida-idak""".split()
)
_UNACCENTED = frozenset(
    """cua ban khong duoc tai khoan quy khach ngan hang vui long va cho den nhan tien voi nguoi
    trong mot cac nay da bi khoa neu de lien he thong bao ma la tu cung cap ke ca nhan vien
    tuyet doi bat ky truy cap xac thuc mat khau giao dich dang nhap hom nay qua tang mien phi
    chuc mung trung thuong so dien thoai thanh toan""".split()
)
_ONLY_ID = frozenset(
    """bahwa bisa silakan rekening nomor uang kantor kode biaya aplikasi karena kalau cuma
    banget nggak aja gak udah sih mobil perusahaan pajak kirim hukum setiap warga negara-negara
    kebebasan diblokir kiriman klaim gue lo pengin bakal gimana kayak enggak""".split()
)
_ONLY_MS = frozenset(
    """bahawa boleh sila akaun nombor wang pejabat kod caj kerana cukai bayaran anda-anda
    mesyuarat maklumat tahniah sahaja adalah-adalah perkhidmatan hendaklah mestilah kebangsaan
    telefon bungkusan kastam kerajaan ialah undang-undang kepada kesemua sesiapa tiada daripada
    mengikut hal-ehwal perlindungan polis selangor ringgit tak nak lah awak korang""".split()
)


class Language(msgspec.Struct, frozen=True):
    """A language as a BCP 47 tag; `also` names one that it cannot be told from here.

    `by` says what decided: `script`, `words`, `statistics`, or "" where nothing did.
    """

    tag: str
    also: str = ""
    by: str = ""


NONE = Language(UNKNOWN)


def language_of(text: str, guess: Guess) -> Language:
    """The language of a text, or `und`.

    Args:
        text: without addresses, if possible: names of hosts are of no language.
        guess: asked where neither script nor words decide.
    """
    shown = unicodedata.normalize("NFC", re.sub(r"(?:https?://|www\.)\S+|\S+@\S+", " ", text))[
        :5_000
    ]
    counts = _scripts(shown)
    total = sum(counts.values())
    if total < 3:
        return NONE
    script = max(counts, key=counts.__getitem__)
    if script == "Latn":
        others = {name: count for name, count in counts.items() if name != "Latn"}
        best = max(others, key=others.__getitem__, default="")
        # A sentence in Thai may name a bank in English; English sentences hold no Thai words.
        if not best or others[best] < total * _SHARE:
            return _latin(shown, guess)
        script = best
    return _of_script(script, shown, counts)


def _scripts(text: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for char in text:
        code = ord(char)
        if code < 0x80 and not char.isalpha():
            continue
        for name, first, last in _SPANS:
            if first <= code <= last:
                counts[name] = counts.get(name, 0) + 1
                break
    return counts


def _of_script(script: str, text: str, counts: dict[str, int]) -> Language:
    if script == "Mymr":
        if len(_ZAWGYI.findall(text)) > len(text) / 60 and not _SHAN.search(text):
            return Language("my-Qaag", by="script")
        return Language("shn" if len(_SHAN.findall(text)) > len(text) / 30 else "my", by="script")
    if script == "Arab":
        return Language("ms-Arab" if _JAWI.search(text) else "ar", by="script")
    if script == "Hani" and counts.get("Kana", 0) > counts["Hani"] / 10:
        script = "Kana"
    return Language(_OF_SCRIPT[script], by="script")


def _latin(text: str, guess: Guess) -> Language:
    words = _WORD.findall(text.lower())
    accents = len(_VIETNAMESE.findall(text.lower()))
    if accents >= 2 and accents * 12 >= len(words):
        return Language("vi", by="script")
    if sum(map(len, words)) < _LEAST_LETTERS:
        return NONE
    found = _by_words(words)
    if found:
        return found
    ranked = guess(text)
    tag, share = ranked[0]
    if tag in _MALAY:
        share = sum(part for name, part in ranked if name in _MALAY)
    if share < _SURE:
        return NONE
    return _malay(words, tag) if tag in _MALAY else Language(tag, by="statistics")


def _by_words(words: list[str]) -> Language | None:
    count = len(words)
    if count < 3:
        return None
    sure = sum(word in _TETUM_SURE for word in words)
    tetum = sum(word in _TETUM for word in words)
    if (sure and tetum * 5 >= count) or sure >= 2 or tetum * 3 >= count:
        return Language("tet", by="words")
    unaccented = sum(word in _UNACCENTED for word in words)
    # Vietnamese is written in syllables; what else is so short holds few of these.
    if count >= 4 and unaccented * 5 >= count * 2 and sum(map(len, words)) < count * 5:
        return Language("vi", by="words")
    return None


def _malay(words: list[str], tag: str) -> Language:
    indonesian = sum(word in _ONLY_ID for word in words)
    malay = sum(word in _ONLY_MS for word in words)
    if indonesian != malay:
        likelier, other = ("id", "ms") if indonesian > malay else ("ms", "id")
        # One word may be borrowed, or met by chance.
        sure = abs(indonesian - malay) > 1
        return Language(likelier, also="" if sure else other, by="words")
    if tag == "jv":
        return Language("jv", by="statistics")
    return Language(tag, also="ms" if tag == "id" else "id", by="statistics")
