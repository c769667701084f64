"""Telephone numbers, wallets, languages: the small rules beside the extractor."""

from __future__ import annotations

import pytest

from bayanihan.core.language import language_of
from bayanihan.core.phone import PLANS, country_of, international, phones
from bayanihan.core.wallet import currency_of, keccak256

EXAMPLES = {
    "BN": ("+673 712 3456", "+6737123456"),
    "KH": ("+855 12 345 678", "+85512345678"),
    "ID": ("+62 812-3456-7890", "+6281234567890"),
    "LA": ("+856 20 5512 3456", "+8562055123456"),
    "MY": ("+60 12-345 6789", "+60123456789"),
    "MM": ("+95 9 250 123 456", "+959250123456"),
    "PH": ("+63 917 123 4567", "+639171234567"),
    "SG": ("0065 9123 4567", "+6591234567"),
    "TH": ("+66 (0)81-234-5678", "+66812345678"),
    "TL": ("+670 7723 4567", "+67077234567"),
    "VN": ("+84 912 345 678", "+84912345678"),
}


def test_the_plans_are_those_of_the_eleven() -> None:
    assert set(PLANS) == set(EXAMPLES)


@pytest.mark.parametrize("country", sorted(EXAMPLES))
def test_a_number_of_each_plan(country: str) -> None:
    written, number = EXAMPLES[country]
    assert [found for _, _, found in phones(f"call {written}, now")] == [number]
    assert country_of(number) == country


def test_a_national_number_needs_its_country() -> None:
    assert list(phones("081-234-5678")) == []
    assert international("081-234-5678", "TH", marked=False) == "+66812345678"
    assert international("081-234-5678", "ID", marked=False) == "+62812345678"
    assert international("123-4-56789-0", "TH", marked=False) == ""


@pytest.mark.parametrize(
    ("address", "currency"),
    [
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "btc"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "btc"),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", "btc"),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "eth"),
        ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "tron"),
    ],
)
def test_a_wallet_is_held_to_its_checksum(address: str, currency: str) -> None:
    assert currency_of(address) == currency
    wrong = address[:-1] + ("q" if address[-1] != "q" else "p")
    assert currency_of(wrong) == ""


def test_keccak_is_not_sha3() -> None:
    assert keccak256(b"").hex().startswith("c5d2460186f7233c")


def _nothing(text: str) -> list[tuple[str, float]]:
    return [("en", 0.2)]


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("บัญชีของท่านถูกระงับ login now", "th"),
        ("ບັນຊີຂອງທ່ານຖືກລະງັບ", "lo"),
        ("គណនីរបស់អ្នក", "km"),
        ("သင့်အကောင့်ကိုပိတ်ထားသည်", "my"),
        ("您的账户已被冻结", "zh"),
        ("உங்கள் கணக்கு", "ta"),
        ("Tài khoản của quý khách bị khóa", "vi"),
        ("Tai khoan cua quy khach da bi khoa vui long lien he ngan hang", "vi"),
        ("Ita-nia konta sei taka, favór halo verifikasaun molok aban", "tet"),
        ("ڤريستيوا إين دتوليس دالم بهاس ملايو", "ms-Arab"),
        ("https://only.example/a 12345", "und"),
        ("", "und"),
        ("xqz blorp frindle wug snarf", "und"),
    ],
)
def test_script_and_words_decide_first(text: str, tag: str) -> None:
    assert language_of(text, _nothing).tag == tag


def test_malay_and_indonesian_may_be_one_class() -> None:
    def both(_: str) -> list[tuple[str, float]]:
        return [("id", 0.5), ("ms", 0.45)]

    found = language_of("anak itu makan nasi di rumah", both)
    assert {found.tag, found.also} == {"id", "ms"}
    assert language_of("akaun anda disekat kerana cukai", both).tag == "ms"
    assert language_of("rekening diblokir karena pajak", both).tag == "id"
