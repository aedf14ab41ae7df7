"""Whatever is sent as a login, nobody gets in, and nobody learns why not."""

from __future__ import annotations

import base64
from random import Random

from tests.web.fuzz.conftest import Target
from tests.web.fuzz.hostile import any_text
from tests.web.fuzz.wire import Sent, request_budget, seed

_SCHEMES = (b"Bearer", b"bearer", b"Basic", b"BASIC", b"Digest", b"Negotiate", b"", b"\xff")
_NEARLY = (b"fuz", b"Fuzz", b"fuzz fuzz", b"fuzz\x00", b"fuzz,fuzz", b"fuzz\xff", b"f" * 60_000)
_PAIRS = (b":fuzz", b"fuzz:", b"root:fuzz", b"fuzz", b"\xff:", b"fuzz\x00:fuzz", b"fuzz:fuzz\x00")


def test_no_login_breaks_the_server(on_s3: Target) -> None:
    rnd = Random(seed())
    with on_s3.attacked("hostile logins") as (wire, judge):
        for _ in range(max(200, request_budget() * 3 // 100)):
            endpoint = rnd.choice(on_s3.endpoints)
            path = endpoint.path.replace("{", "").replace("}", "").encode()
            sent = Sent(endpoint.method, path, b"", (("Authorization", _login(rnd)),))
            answer = wire.send(sent)
            judge.look(endpoint.kind, sent, answer)
            assert answer.status in (400, 401, 403), sent


def _login(rnd: Random) -> bytes:
    scheme = rnd.choice(_SCHEMES)
    way = rnd.random()
    if way < 0.3:
        return scheme + b" " + rnd.randbytes(rnd.randint(0, 40))
    if way < 0.5 and scheme.lower() == b"bearer":
        return scheme + b" " + rnd.choice(_NEARLY)
    pair = f"{any_text(rnd)}:{any_text(rnd)}"[:3_000].encode("utf-8", "surrogatepass")
    if way < 0.6:
        return scheme + b" " + pair
    encoded = base64.b64encode(rnd.choice([pair, *_PAIRS]))
    return scheme + b" " + encoded[: rnd.choice([None, -1, -2])]
