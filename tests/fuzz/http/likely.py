"""What the outside fuzzer is told of this server: `cargo xtask fuzz-http` runs it.

Names that lead somewhere are rare among made-up ones: three times of four they are put in. Nobody waits,
or the fuzzer would.
"""

from zlib import crc32

import schemathesis
from schemathesis import GenerationMode

LIKELY = {
    "n": ["DEMO-2001", "DEMO-2001", "DEMO-2001", "active"],
    "sid": ["s1", "s2", "s3", "s4", "s5", "s6"],
    "id": ["0009", "0025", "0007", "808464441"],
    "token": ["1", "2", "3", "4", "5"],
    "name": ["license-usage", "entry", "problem"],
    "asset": ["app.js", "style.css"],
}


@schemathesis.hook
def map_case(context, case):
    # What was made to be wrong stays wrong.
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return case
    # What it installs stands beside the sample; that one stays, or nothing led anywhere any more.
    if case.method == "DELETE" and case.path == "/v1/licenses/{n}":
        return case
    for name, value in (case.path_parameters or {}).items():
        made_up = crc32(str(value).encode())
        if name in LIKELY and made_up % 4:
            case.path_parameters[name] = LIKELY[name][made_up % len(LIKELY[name])]
    if case.query and "wait" in case.query:
        case.query["wait"] = "1ms"
    return case
