"""Computes the frozen vectors of the hash chain, independently of the program: python3 chain.py > chain.json

The steps are those of docs/architecture.md, "The hash chain". RFC 8785 for these envelopes is JSON with sorted ASCII keys,
no spaces, and raw UTF-8.
"""

import hashlib
import json


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


HOUSEHOLD = "01900000-aaaa-7000-8000-000000000001"
ANA = "01900000-bbbb-7000-8000-000000000001"
CAR = "01900000-cccc-7000-8000-000000000001"
HEATER = "01900000-cccc-7000-8000-000000000002"
BATCH = "01900000-dddd-7000-8000-000000000001"

STORY = [
    (HOUSEHOLD, 1, "household_created", 1, '{"name":"The Duarte–Keller household"}', None, "system", None, None, "2016-11-26"),
    (HOUSEHOLD, 2, "member_joined", 1, '{"member_id":"%s","name":"Ana","role":"owner"}' % ANA, None, "system", None, None, "2016-11-26"),
    (CAR, 1, "record_created", 1, '{"title":"Corolla","visibility":"household","tags":[],"fields":[]}', ANA, "page", None, None, "2016"),
    (CAR, 2, "note_added", 1, '{"text":"Oil change","amount":{"minor":"43600","currency":"EUR"}}', ANA, "page", None, None, "2016-11-27T14:30"),
    (HEATER, 1, "record_created", 1, '{"title":"Water heater","visibility":"private","tags":["a"],"fields":[]}', ANA, "import", 'homebox "old"\n\u0001é', BATCH, "2012-05"),
    (HEATER, 2, "note_added", 0, '{"note":"Anode changed"}', ANA, "import", "homebox", BATCH, "2013-06-01"),
    (CAR, 3, "record_updated", 1, '{"set":{},"clear":[],"fields_set":[{"name":"Plate","type":"text","value":"KE 418 D"}],"fields_cleared":[],"tags_added":[],"tags_removed":[]}', ANA, "api", "token-1", None, "2020-05-03"),
    (CAR, 4, "event_retracted", 1, '{"event_id":"01900000-eeee-7000-8000-000000000007"}', ANA, "cli", None, None, "2026-11-22"),
    (CAR, 5, "record_deleted", 1, '{"reason":"Sold 🚗"}', ANA, "page", None, None, "2026-11-22"),
    (CAR, 6, "record_restored", 1, "{}", ANA, "page", None, None, "2026-11-22"),
]

head = sha(b"lifeops.genesis.1\0", bytes.fromhex(HOUSEHOLD.replace("-", "")))
out = {"genesis": head.hex(), "events": []}
for n, (record, version, kind, payload_version, payload, actor, via, via_ref, batch, occurred) in enumerate(STORY, 1):
    salt = hashlib.sha256(b"salt %d" % n).digest()[:16]
    digest = sha(b"lifeops.payload.1\0", salt, payload.encode())
    columns = {
        "alg": 1,
        "household": HOUSEHOLD,
        "position": n,
        "event": "01900000-eeee-7000-8000-%012d" % n,
        "record": record,
        "version": version,
        "kind": kind,
        "payload_version": payload_version,
        "actor": actor,
        "via": via,
        "via_ref": via_ref,
        "batch": batch,
        "occurred": occurred,
        "recorded": "2026-11-22T19:02:%02d.%06dZ" % (n, n * 1000 if n % 2 else 0),
        "payload_digest": digest.hex(),
    }
    envelope = json.dumps(columns, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    leaf = sha(b"lifeops.event.1\0", envelope.encode())
    head = sha(b"lifeops.chain.1\0", head, leaf)
    out["events"].append(
        {**columns, "payload": payload, "salt": salt.hex(), "envelope": envelope, "leaf": leaf.hex(), "hash": head.hex()}
    )

print(json.dumps(out, indent=1, ensure_ascii=False))
