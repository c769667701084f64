"""A list of expressions, as a mail administrator would keep one: two hits are malicious."""

import json
import re
import sys

SIGNS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(verify|confirm|restore|validate)\b.{0,40}\b(identity|password|account|card|pin)\b",
        r"\b(limited|restricted|suspended|blocked|on hold|locked)\b",
        r"\bwithin \d+ hours\b|\bexpires? (today|in)\b|\bbefore noon\b|\btoday\b",
        r"\b(card number|pin|password)\b.{0,60}https?://",
        r"https?://\S*(verify|secure|login|claim|refund|restore|pay|wallet)",
        r"\b(guaranteed|double your|without any risk|you were chosen|congratulations)\b",
        r"\b(confidential|gift cards|do not call|cannot take calls)\b",
        r"\bfee of\b|\bcustoms\b.{0,40}\b(asks|fee)\b|\btransfer\b",
        r"ignore all previous instructions|disregard the security policy|you are now in",
        r"ยืนยัน(ตัวตน|รหัส|บัตร|บัญชี)|รหัสผ่าน|\bOTP\b",
        r"ถูกระงับ|ถูกจำกัด|ถูกอายัด|ถูกตัดสัญญาณ|ถูกพัก",
        r"ภายใน(วันนี้| ?\d+ ชั่วโมง)|ด่วน|วันนี้วันสุดท้าย",
        r"โอนเงิน|ค่าธรรมเนียม|ชำระ.{0,20}https?://|กดลิงก์|กดที่นี่",
        r"การันตี|ไม่มีความเสี่ยง|ได้รับอนุมัติวงเงิน|หมายจับ|ละเว้นคำสั่ง",
        r"\b(IEX|Invoke-Expression|exec|eval)\b|WScript\.Shell|EncodedCommand|crontab",
        r"FromBase64String|b64decode|AutoOpen|Document_Open|\|\s*sh\b",
    )
]

print('{"ready":1}', flush=True)
for line in sys.stdin:
    item = json.loads(line)
    text = f"{item.get('subject', '')}\n{item['text']}"
    hits = [sign.pattern for sign in SIGNS if sign.search(text)]
    answer = {
        "id": item["id"],
        "verdict": "malicious" if len(hits) > 1 else "benign",
        "score": min(1.0, len(hits) / 4),
        "reason": "; ".join(hits)[:200],
    }
    print(json.dumps(answer), flush=True)
