"""Checks an export of Musterbook's audit log. Needs Python and `cryptography`, neither Musterbook nor its database.

    python3 verify_audit.py EXPORT.jsonl|EXPORT.csv --key a1:PUBLIC [--anchors anchors.jsonl] [--seal-key k1:SECRET]

Exit code 0: each entry is as it was sealed, and lies under an anchor signed with a --key; with --anchors one of that
file, which was kept apart. With --seal-key the seals are checked, too. docs/audit.md says what that proves."""

import argparse
import csv
import hashlib
import hmac
import json
import sys
from base64 import urlsafe_b64decode as decode
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey as Key

COLUMNS = ["id", "at", "action", "says", "actor", "outcome", "chain", "seq", "proof"]


def need(holds: bool, says: str) -> None:
    if not holds:
        raise ValueError(says)


def read(path: str) -> Any:
    """Each line of proof, and what a CSV shows beside it."""
    csv.field_size_limit(1 << 30)
    with open(path, encoding="utf-8-sig", newline="") as file:  # noqa: PTH123
        rows = csv.reader(file) if path.endswith(".csv") else ([*[""] * 8, line.rstrip("\n")] for line in file)
        need(not path.endswith(".csv") or next(rows, None) == COLUMNS, "its columns are not those of an export")
        yield from ((row[-1], dict(zip(COLUMNS[:-1], row[:-1], strict=True))) for row in rows)


def check_entry(line: Any, shown: dict[str, str], anchor: Any, seal_keys: dict[str, bytes]) -> Any:
    sealed, found = json.loads(line["sealed"]), hashlib.sha256(b"\0" + line["sealed"].encode()).digest()
    salt, data, text = line["salt"], line["data"], line["text"]
    part = hmac.digest(bytes.fromhex(salt or ""), f"{data}\n{text}".encode(), "sha256").hex()
    need(part == sealed["personal"] or salt is data is text is None, "its personal part is not the one that was sealed")
    seal = hmac.digest(seal_keys[sealed["kid"]] if seal_keys else b"", line["sealed"].encode(), "sha256").hex()
    need(not seal_keys or seal == line["mac"], "its seal does not fit")
    same = all(str(sealed[name]) == shown[name] for name in ("chain", "seq", "at", "action", "outcome"))
    need(same or not any(shown.values()), "what is shown beside it is not what was sealed")
    need(anchor is not None, "no anchor covers it")
    for step in line["path"]:
        other = bytes.fromhex(step[1:])
        found = hashlib.sha256(b"\1" + (other + found if step[0] == "L" else found + other)).digest()
    (first, last, root), (end, mac) = anchor["roots"][sealed["chain"]], anchor["heads"][sealed["chain"]]
    need(found.hex() == root and first <= sealed["seq"] <= last, f"it does not lie under anchor {anchor['n']}")
    need(end != sealed["seq"] or mac == line["mac"], "its anchor names another seal")
    return sealed


def check(path: str, keys: dict[str, bytes], seal_keys: dict[str, bytes]) -> tuple[set[str], dict[str, Any], str]:
    texts, anchors, spans, digest, end, erased = set(), {}, {}, hashlib.sha256(), None, 0  # type: ignore[var-annotated]
    for place, (text, shown) in enumerate(read(path), start=1):
        try:
            line = json.loads(text)
            need(end is None and ("export" in line) == (place == 1), "the file is not in one piece")
            end = line.get("end")
            is_entry = end is None and place > 1
            need(is_entry or (len(line) == 1 and not any(shown.values())), "it shows what nothing proves")
            if "anchor" in line:
                anchors[line["under"]] = anchor = json.loads(line["anchor"])
                Key.from_public_bytes(keys[anchor["kid"]]).verify(bytes.fromhex(line["sig"]), line["anchor"].encode())
                texts.add(line["anchor"])
            if is_entry:
                own = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
                need(text == own and len(line) == 7 + 2 * ("anchor" in line), "no export has such a line")
                sealed = check_entry(line, shown, anchors.get(line["under"]), seal_keys)
                erased += line["salt"] is None and sealed["personal"] is not None
                seq, found = sealed["seq"], spans.setdefault(sealed["chain"], [])
                need(not found or seq > found[-1][1], "it stands in the wrong place, or twice")
                if not found or seq > found[-1][1] + 1:
                    found.append([seq, seq, sealed["prev"]])
                need(sealed["prev"] == found[-1][2], "it does not continue the entry before it")
                found[-1][1:] = seq, line["mac"]
        except Exception as error:  # whatever a line makes fail, it is bad
            raise ValueError(f"line {place}: {error!r:.200}") from error
        digest.update(b"" if end is not None else f"{text}\n".encode())
    need(isinstance(end, dict) and end.get("sha256") == digest.hexdigest(), "its end is missing, or it was changed")
    return texts, spans, f", {erased} personal parts are erased" if erased else ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(usage=__doc__)
    for name in ("export", "--anchors", "--key", "--seal-key"):
        parser.add_argument(name, action="append", default=[])
    args = parser.parse_args()
    try:
        keys, seal_keys = ({n: decode(k) for n, k in (p.split(":", 1) for p in ps)} for ps in (args.key, args.seal_key))
        texts, spans, lost = check(args.export[0], keys, seal_keys)
        kept = {json.loads(text)["anchor"] for path in args.anchors for text, _ in read(path) if text.strip()}
        need(not args.anchors or texts <= kept, "the kept file has other anchors")
    except Exception as error:
        sys.exit(f"BAD: {error!s:.300}")
    for chain, found in spans.items():
        print(f"{chain}: {', '.join(f'{a} to {b}' for a, b, _ in found)}")
    print(f"GOOD: {sum(b - a + 1 for each in spans.values() for a, b, _ in each)} entries, {len(texts)} anchors{lost}")
