"""Names and accounts of victims: found, taken out, and shown as removed.

What is removed is told as its first letters, so that the reporter sees that it was seen.
"""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote, urlsplit, urlunsplit

from bayanihan.core.examined import Removed

_GREETING = re.compile(
    r"(?:^|\n)\s*(?:Dear|Hi|Hello|Attn:?|เรียน|สวัสดี|Kính gửi|Chào|Mahal na|Kumusta|Yth\.?|Kepada|"
    r"Halo|Tuan/Puan|ជូនចំពោះ|ຮຽນ|လေးစားရပါသော|尊敬的|亲爱的|அன்புள்ள|Kliente doben)\s*"
    r"(?P<name>(?:(?:Mr|Ms|Mrs|Dr|Bapak|Ibu|Sdr|Encik|Puan|anh|chị|ông|bà|คุณ|ท่าน)\.?\s*)?"
    r"[^\n,:;!?。，]{2,60})",
    re.IGNORECASE,
)
_NOBODY = re.compile(
    r"customer|client|user|sir|madam|ลูกค้า|ท่าน$|khách hàng|quý khách|kliyente|nasabah|pelanggan"
    r"|អតិថិជន|ລູກຄ້າ|ဖောက်သည်|客户|用户|வாடிக்கையாள|kliente|there|all|team|friend",
    re.IGNORECASE,
)
_ACCOUNT_WORD = (
    r"(?:account|acct|a/c|card|iban|เลขที่|บัญชี|บัตร|tài khoản|số tk|stk|thẻ|rekening|rek|akaun|kad|"
    r"គណនី|ບັນຊີ|အကောင့်|账户|账号|卡号|கணக்கு|konta|otp|code|รหัส|mã|kode|kod|kódigu|验证码)"
)
_ACCOUNT = re.compile(
    rf"{_ACCOUNT_WORD}[^\d\n]{{0,24}}(?P<number>\d(?:[ -]?\d){{3,18}})(?!\d)", re.IGNORECASE
)
_CARD = re.compile(r"(?<![\d+])(?:\d[ -]?){12,18}\d(?!\d)")
_ADDRESS_IN = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{3,200}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,200}={0,2}")


def masked(text: str) -> str:
    """The first letter and how it goes on: enough to recognise, too little to use."""
    local, at, name = text.partition("@")
    if at:
        return f"{local[:1]}...@{name[:1]}...{name[name.rfind('.') :]}"
    if text[:1].isdigit():
        return f"...{re.sub(r'[^0-9]', '', text)[-2:]}"
    return " ".join([f"{word[:1]}..." for word in text.split()[:4]])


def without_victims(
    text: str, where: str, victims: list[tuple[str, str]]
) -> tuple[str, list[Removed]]:
    """A text without the names and accounts of victims, and what was removed from it."""
    removed: list[Removed] = []

    def taken(what: str, value: str) -> str:
        told = Removed(what, masked(value.strip()), where)
        if told not in removed:
            removed.append(told)
        return "[removed]"

    for what, value in victims:
        if len(value) > 2:
            pattern = re.compile(re.escape(value), re.IGNORECASE)
            text = pattern.sub(lambda found, what=what: taken(what, found[0]), text)  # type: ignore[misc]
    text = _GREETING.sub(lambda found: _greeted(found, taken), text)
    text = _ACCOUNT.sub(
        lambda found: (
            found[0][: found.start("number") - found.start()] + taken("account", found["number"])
        ),
        text,
    )
    text = _CARD.sub(
        lambda found: taken("card", found[0]) if _luhn(found[0]) else found[0],
        text,
    )
    return text, removed


def _greeted(found: re.Match[str], taken) -> str:  # type: ignore[no-untyped-def]
    name = found["name"].strip()
    if _NOBODY.search(name) or len(name.split()) > 5:
        return found[0]
    return found[0].replace(found["name"], taken("name", name))


def _luhn(written: str) -> bool:
    digits = [int(char) for char in written if char.isdigit()][::-1]
    if len(set(digits)) < 3:
        return False
    total = sum(
        digit if place % 2 == 0 else sum(divmod(2 * digit, 10))
        for place, digit in enumerate(digits)
    )
    return total % 10 == 0


def url_without_victims(url: str) -> str:
    """A URL without the query, the fragment or the piece of its path that names a person.

    A mail address counts, written plainly or in base64: it is how a lure knows its victim.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets in odd places: without its tail nothing can name anybody
        return url.partition("?")[0].partition("#")[0]
    path = "/".join(["" if _names_somebody(each) else each for each in parts.path.split("/")])
    query = "" if _names_somebody(parts.query) else parts.query
    fragment = "" if _names_somebody(parts.fragment) else parts.fragment
    return urlunsplit((parts.scheme, parts.netloc, path, query, fragment))


def _names_somebody(piece: str) -> bool:
    if _ADDRESS_IN.search(unquote(unquote(piece))):
        return True
    for code in _BASE64.findall(piece)[:20]:
        try:
            plain = base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))
        except (binascii.Error, ValueError):
            continue
        if _ADDRESS_IN.search(plain.decode("latin-1")):
            return True
    return False
