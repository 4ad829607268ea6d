"""Checks an export of Musterbook's audit log. Needs Python and `cryptography`, neither Musterbook nor its database.

    python3 verify_audit.py EXPORT.jsonl|EXPORT.csv --key a1:PUBLIC [--anchors anchors.jsonl] [--seal-key k1:SECRET]

Exit code 0: each entry is as it was sealed, and lies under an anchor signed with a --key; with --anchors one of that
file, which was kept apart. With --seal-key the seals are checked, too. docs/audit.md says what that proves."""

import argparse
import base64
import csv
import hashlib
import hmac
import json
import sys
from collections.abc import Iterator
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def need(holds: bool, says: str) -> None:
    if not holds:
        raise ValueError(says)


def read(path: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each line of proof, and what a CSV shows beside it."""
    csv.field_size_limit(1 << 30)
    with open(path, encoding="utf-8-sig", newline="") as file:  # noqa: PTH123
        rows = csv.DictReader(file) if path.endswith(".csv") else ({"proof": line.rstrip("\n")} for line in file)
        yield from ((row.pop("proof"), row) for row in rows)


def check_entry(line: Any, shown: dict[str, str], anchors: dict[int, Any], seal_keys: dict[str, str]) -> Any:
    sealed, found = json.loads(line["sealed"]), hashlib.sha256(b"\0" + line["sealed"].encode()).digest()
    if line["salt"] is not None:
        part = f"{line['data']}\n{line['text']}".encode()
        fits = hmac.new(bytes.fromhex(line["salt"]), part, "sha256").hexdigest() == sealed["personal"]
        need(fits, "its personal part is not the one that was sealed")
    key = base64.urlsafe_b64decode(seal_keys.get(sealed["kid"], ""))
    seal = hmac.new(key, line["sealed"].encode(), "sha256").hexdigest()
    need(not seal_keys or seal == line["mac"], "its seal does not fit")
    same = all(str(sealed[name]) == shown[name] for name in ("chain", "seq", "at", "action", "outcome") if shown)
    need(same, "what is shown beside it is not what was sealed")
    need(line["under"] in anchors, "no anchor covers it")
    anchor = anchors[line["under"]]
    for step in line["path"]:
        other = bytes.fromhex(step[1:])
        found = hashlib.sha256(b"\1" + (other + found if step[0] == "L" else found + other)).digest()
    first, last, root = anchor["roots"][sealed["chain"]]
    need(found.hex() == root and first <= sealed["seq"] <= last, f"it does not lie under anchor {anchor['n']}")
    is_head = anchor["heads"][sealed["chain"]][0] == sealed["seq"]
    need(not is_head or anchor["heads"][sealed["chain"]][1] == line["mac"], "its anchor names another seal")
    return sealed


def check(path: str, keys: dict[str, str], seal_keys: dict[str, str]) -> tuple[dict[int, Any], dict[str, Any]]:
    anchors, spans, digest, end = {}, {}, hashlib.sha256(), None  # type: ignore[var-annotated]
    for place, (text, shown) in enumerate(read(path), start=1):
        try:
            line = json.loads(text)
            need(end is None and ("export" in line) == (place == 1), "the file is not in one piece")
            end = line.get("end")
            if "anchor" in line:
                anchors[line["under"]] = anchor = json.loads(line["anchor"])
                key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(keys[anchor["kid"]]))
                key.verify(bytes.fromhex(line["sig"]), line["anchor"].encode())
            if end is None and place > 1:
                sealed = check_entry(line, shown, anchors, seal_keys)
                seq, found = sealed["seq"], spans.setdefault(sealed["chain"], [])
                need(not found or seq > found[-1][1], "it stands in the wrong place, or twice")
                if not found or seq > found[-1][1] + 1:
                    found.append([seq, seq, sealed["prev"]])
                need(sealed["prev"] == found[-1][2], "it does not continue the entry before it")
                found[-1][1:] = seq, line["mac"]
        except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature) as error:
            raise ValueError(f"line {place}: {error!r}") from error
        digest.update(b"" if end else f"{text}\n".encode())
    need((end or {}).get("sha256") == digest.hexdigest(), "its end is missing, or something in it was changed")
    return anchors, spans


if __name__ == "__main__":
    parser = argparse.ArgumentParser(usage=__doc__)
    for name in ("export", "--anchors"):
        parser.add_argument(name)
    for name in ("--key", "--seal-key"):
        parser.add_argument(name, action="append", default=[])
    args = parser.parse_args()
    try:
        keys, seal_keys = (dict(pair.split(":", 1) for pair in pairs) for pairs in (args.key, args.seal_key))
        anchors, spans = check(args.export, keys, seal_keys)
        kept = [json.loads(json.loads(text)["anchor"]) for text, _ in read(args.anchors)] if args.anchors else []
        need(not args.anchors or all(each in kept for each in anchors.values()), "the kept file has other anchors")
    except (ValueError, KeyError, OSError) as error:
        sys.exit(f"BAD: {error}")
    for chain, found in spans.items():
        print(f"{chain}: {', '.join(f'{a} to {b}' for a, b, _ in found)}")
    print(f"GOOD: {sum(b - a + 1 for found in spans.values() for a, b, _ in found)} entries, {len(anchors)} anchors")
