"""Writes texts.jsonl and the two mails from templates.yaml: `python tests/vectors/lures/make.py`.

The values that a text holds are told by who fills the slots, not by the extractor: names are
encoded by the idna package alone. `tests/core/test_vectors.py` holds the files to this.
"""

from __future__ import annotations

import json
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote

import idna
import yaml

HERE = Path(__file__).parent
AMOUNT = {
    "en": "S$4,800",
    "th": "49,800 บาท",
    "vi": "2.500.000 đồng",
    "tl": "₱3,500",
    "id": "Rp250.000",
    "ms": "RM49,800",
    "km": "120 ដុល្លារ",
    "lo": "2,000,000 ກີບ",
    "my": "150,000 ကျပ်",
    "zh": "8,800元",
    "ta": "S$1,250",
    "tet": "$75",
}
# Written as people write it, and in the international form.
PHONE = {
    "en": ("+65 9123 4567", "+6591234567"),
    "th": ("081-234-5678", "+66812345678"),
    "vi": ("0912 345 678", "+84912345678"),
    "tl": ("0917 123 4567", "+639171234567"),
    "id": ("0812-3456-7890", "+6281234567890"),
    "ms": ("012-345 6789", "+60123456789"),
    "km": ("+855 12 345 678", "+85512345678"),
    "lo": ("+856 20 5512 3456", "+8562055123456"),
    "my": ("+95 9 250 123 456", "+959250123456"),
    "zh": ("+65 8123 4567", "+6581234567"),
    "ta": ("+60 12-987 6543", "+60129876543"),
    "tet": ("+670 7723 4567", "+67077234567"),
}
COUNTRY = {"th": "TH", "vi": "VN", "tl": "PH", "id": "ID", "ms": "MY"}
CODES = ("483920", "71 55 02")


def ascii_name(name: str) -> str:
    """A name as it goes over the wire, by the idna package."""
    return idna.encode(name, uts46=True).decode("ascii")


def url_of(form: int, label: str) -> tuple[str, str]:
    """How a URL is written in a text, and its canonical spelling."""
    name = f"{label}.example"
    return (
        ("https://verify-account.example/login?id=7", "https://verify-account.example/login?id=7"),
        (f"https://{name}/a/confirm", f"https://{ascii_name(name)}/a/confirm"),
        ("hxxps://pay-now[.]example/release", "https://pay-now.example/release"),
        # The first word is Cyrillic letters alone.
        ("https://раура-help.example/in", f"https://{ascii_name('раура-help.example')}/in"),
        ("http://bank@198.51.100.7:8080/login", "http://bank@198.51.100.7:8080/login"),
        ("http://www.claim-today.invalid/x/9f3", "http://www.claim-today.invalid/x/9f3"),
    )[form]


def fill(template: str, language: str, label: str, number: int) -> tuple[str, list[list[str]]]:
    """A template with its slots filled for the nth time, and what it then holds."""
    written, url = url_of(number % 6, label)
    names = (f"refund-{number}.example", f"{label}.invalid")
    name = names[number % 2]
    mail = ("hr.team@jobs-daily.example", f"office@{label}.example")[number % 2]
    local, _, host = mail.partition("@")
    slots = {
        "url": (written, ["url", url]),
        "name": (name, ["domain", ascii_name(name)]),
        "honest_name": ("www.clinic-visit.example", ["domain", "www.clinic-visit.example"]),
        "mail": (mail, ["email", f"{local}@{ascii_name(host)}"]),
        "phone": (PHONE[language][0], ["phone", PHONE[language][1]]),
        "amount": (AMOUNT[language], None),
        "code": (CODES[number % 2], None),
    }
    text, holds = template, []
    for slot, (shown, held) in slots.items():
        if "{" + slot + "}" in text:
            text = text.replace("{" + slot + "}", shown)
            holds += [held] if held else []
    return text, holds


def records() -> list[dict[str, Any]]:
    """All texts: each lure and each honest message filled twice."""
    found = []
    source = yaml.safe_load((HERE / "templates.yaml").read_text(encoding="utf-8"))
    for place, (language, given) in enumerate(source.items()):
        wordings = [
            (topic, wording, text)
            for topic, pair in given["lures"].items()
            for wording, text in pair.items()
        ]
        wordings += [(f"honest{n}", "", text) for n, text in enumerate(given["honest"])]
        for line, (topic, wording, template) in enumerate(wordings):
            for again in (0, 1):
                number = place + line + 3 * again
                text, holds = fill(template, language, given["idn"], number)
                found.append(
                    {
                        "id": f"{language}-{topic}{'-' if wording else ''}{wording}-{again}",
                        "language": language,
                        "country": COUNTRY.get(language, ""),
                        "label": "lure" if wording else "honest",
                        "topic": topic,
                        "wording": wording,
                        "text": text,
                        "holds": holds,
                    }
                )
    return found


def mail_of(subject: str, text: str, link: str) -> bytes:
    """A mail as a victim forwards it: text and HTML, with the victim named."""
    message = EmailMessage()
    message["From"] = "ธนาคารออนไลน์ <alert@ธนาคาร-ปลอดภัย.example>".replace(
        "ธนาคาร-ปลอดภัย.example", ascii_name("ธนาคาร-ปลอดภัย.example")
    )
    message["Reply-To"] = "desk@reply-center.example"
    message["To"] = "Somchai Jaidee <somchai.j@victim-firm.example>"
    message["Subject"] = subject
    message["Date"] = "Mon, 02 Mar 2026 09:15:00 +0700"
    message["Message-ID"] = "<20260302.7781@mailer.example>"
    message["Received"] = (
        "from mailer.example (mailer.example [203.0.113.25]) by mx.victim-firm.example;"
        " Mon, 02 Mar 2026 09:15:02 +0700"
    )
    message.set_content(text)
    lines = "".join(f"<p>{line}</p>" for line in text.splitlines() if line)
    message.add_alternative(
        f'<html><body>{lines}<p><a href="{link}">www.bank-real.example</a></p>'
        "<script>document.location='https://script.example/'</script></body></html>",
        subtype="html",
    )
    message.set_boundary("bayanihan-outer")
    return message.as_bytes()


def mails() -> dict[str, bytes]:
    """lure-th.eml, and the same lure told in other words with a page moved on its host."""
    name = "ธนาคาร-ปลอดภัย.example"
    path = quote("เข้าสู่ระบบ")
    link = f"https://{ascii_name(name)}/{path}?user=somchai.j%40victim-firm.example"
    first = (
        "เรียน คุณสมชาย ใจดี\n\n"
        "ธนาคารแจ้งเตือน บัญชีของท่านเลขที่ 123-4-56789-0 ถูกระงับเนื่องจากพบการเข้าใช้งานผิดปกติ"
        f"กรุณายืนยันตัวตนภายใน 24 ชั่วโมงที่https://{name}/เข้าสู่ระบบ มิฉะนั้นบัญชีจะถูกปิดถาวร\n"
        "หากมีข้อสงสัยติดต่อเจ้าหน้าที่โทร 081-234-5678 หรือ LINE ID: @thaibank-help\n"
    )
    second = (
        "สวัสดีค่ะลูกค้าคนสำคัญ\n\n"
        "ทางเราตรวจสอบแล้วว่ามีผู้อื่นพยายามล็อกอินด้วยชื่อของคุณ เพื่อรักษาสิทธิ์การใช้บริการธนาคาร"
        f"โปรดเข้าไปกรอกข้อมูลส่วนตัวให้เสร็จใน 24 ชั่วโมง https://{name}/บัญชี/ยืนยัน ไม่เช่นนั้นจะถูกปิดการใช้งาน\n"
        "สอบถามได้ที่ 081-234-5678\n"
    )
    moved = f"https://{ascii_name(name)}/{quote('บัญชี')}/{quote('ยืนยัน')}?user=x"
    return {
        "lure-th.eml": mail_of("แจ้งเตือนด่วน: บัญชีของท่านถูกระงับ", first, link),
        "lure-th-reworded.eml": mail_of("โปรดรักษาสิทธิ์ของคุณ", second, moved),
    }


def main() -> None:
    """Write the files beside this one."""
    lines = [json.dumps(record, ensure_ascii=False) for record in records()]
    (HERE / "texts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name, data in mails().items():
        (HERE / name).write_bytes(data)


if __name__ == "__main__":
    main()
