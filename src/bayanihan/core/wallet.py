"""Addresses of cryptocurrencies, each held to its own checksum.

Source: Bitcoin's Base58Check, BIP 173 and BIP 350 (Bech32, Bech32m), EIP-55 (Ethereum), and
TRON's Base58Check with the prefix 0x41.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VERSIONS = {0x00: "btc", 0x05: "btc", 0x30: "ltc", 0x32: "ltc", 0x41: "tron"}
_PARTS = {"bc": "btc", "ltc": "ltc"}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CANDIDATE = re.compile(
    r"(?<![0-9A-Za-z])(?:0x[0-9a-fA-F]{40}|(?:bc1|ltc1|BC1|LTC1)[0-9A-Za-z]{8,71}+"
    r"|[13LMT][1-9A-HJ-NP-Za-km-z]{25,34}+)(?![0-9A-Za-z])"
)


def wallets(text: str) -> Iterator[tuple[int, int, str]]:
    """Where wallets with a right checksum stand in a text: start, end, currency."""
    for found in _CANDIDATE.finditer(text):
        currency = currency_of(found[0])
        if currency:
            yield found.start(), found.end(), currency


def currency_of(address: str) -> str:
    """`btc`, `ltc`, `eth` or `tron`; "" when the address or its checksum is wrong."""
    if address.startswith("0x"):
        return "eth" if _ethereum(address[2:]) else ""
    if address[:3].lower() == "bc1" or address[:4].lower() == "ltc1":
        return _bech32(address)
    return _base58(address)


def _base58(address: str) -> str:
    number = 0
    for char in address:
        digit = _BASE58.find(char)
        if digit < 0:
            return ""
        number = number * 58 + digit
    zeros = len(address) - len(address.lstrip("1"))
    raw = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(raw) != 25:
        return ""
    twice = hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()
    return _VERSIONS.get(raw[0], "") if twice[:4] == raw[-4:] else ""


def _bech32(address: str) -> str:
    if address not in (address.lower(), address.upper()):
        return ""
    part, _, data = address.lower().rpartition("1")
    values = [_BECH32.find(char) for char in data]
    if len(values) < 7 or min(values) < 0 or part not in _PARTS:
        return ""
    spread = [ord(char) >> 5 for char in part] + [0] + [ord(char) & 31 for char in part]
    check = 1
    for value in spread + values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            check ^= generator if top >> bit & 1 else 0
    wanted = 1 if values[0] == 0 else 0x2BC830A3
    return _PARTS[part] if check == wanted else ""


def _ethereum(digits: str) -> bool:
    """Whether the capitals follow EIP-55; an address in one case alone has no checksum."""
    if digits in (digits.lower(), digits.upper()):
        return bool(digits.strip("0"))
    digest = keccak256(digits.lower().encode()).hex()
    return all(
        char.isdigit() or char.isupper() == (int(nibble, 16) >= 8)
        for char, nibble in zip(digits, digest, strict=False)
    )


def _round_constants() -> list[int]:
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for power in range(7):
            if register & 1:
                constant |= 1 << ((1 << power) - 1)
            register = register << 1 ^ (0x171 if register >> 7 else 0)
        constants.append(constant)
    return constants


_ROUNDS = _round_constants()
_MASK = (1 << 64) - 1


def _turned(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK if bits else value


def _permuted(lanes: list[list[int]]) -> list[list[int]]:
    for constant in _ROUNDS:
        columns = [a ^ b ^ c ^ d ^ e for a, b, c, d, e in lanes]
        mixed = [columns[x - 1] ^ _turned(columns[(x + 1) % 5], 1) for x in range(5)]
        lanes = [[lanes[x][y] ^ mixed[x] for y in range(5)] for x in range(5)]
        x, y, current = 1, 0, lanes[1][0]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, lanes[x][y] = (
                lanes[x][y],
                _turned(current, (step + 1) * (step + 2) // 2 % 64),
            )
        lanes = [
            [lanes[x][y] ^ (~lanes[(x + 1) % 5][y] & lanes[(x + 2) % 5][y]) for y in range(5)]
            for x in range(5)
        ]
        lanes[0][0] ^= constant
    return lanes


def keccak256(data: bytes) -> bytes:
    """Keccak-256 as Ethereum uses it: SHA-3 before its padding was changed."""
    rate = 136
    padded = data + b"\x01" + bytes(-(len(data) + 1) % rate)
    padded = padded[:-1] + bytes([padded[-1] | 0x80])
    lanes = [[0] * 5 for _ in range(5)]
    for start in range(0, len(padded), rate):
        for place in range(rate // 8):
            word = padded[start + 8 * place : start + 8 * place + 8]
            lanes[place % 5][place // 5] ^= int.from_bytes(word, "little")
        lanes = _permuted(lanes)
    return b"".join(lanes[place % 5][place // 5].to_bytes(8, "little") for place in range(4))
