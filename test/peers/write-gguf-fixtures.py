"""Writes test/gguf/fixtures/dequantised.json: random blocks of each kind and what the reference package makes of them.
Run in a throw-away environment: pip install gguf numpy; python test/peers/write-gguf-fixtures.py
"""

import base64
import json
import pathlib

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize

# Offsets of the float16 fields of a block: random bits there would be infinite or NaN now and then.
HALF_FIELDS = {
    "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q4_K": [0, 2], "Q6_K": [208],
}
BLOCKS = 4

rng = np.random.default_rng(3)
cases = []
for name, fields in HALF_FIELDS.items():
    kind = GGMLQuantizationType[name]
    elements, size = GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
    for at in fields:
        halves = (rng.standard_normal(BLOCKS) * 0.1).astype(np.float16)
        blocks[:, at:at + 2] = halves.view(np.uint8).reshape(BLOCKS, 2)
    values = np.asarray(dequantize(blocks.reshape(1, -1), kind), dtype="<f4").reshape(-1)
    assert values.size == BLOCKS * elements and np.isfinite(values).all()
    cases.append({
        "kind": name,
        "blocks": base64.b64encode(blocks.tobytes()).decode(),
        "values": base64.b64encode(values.tobytes()).decode(),
    })

place = pathlib.Path(__file__).parent.parent / "gguf/fixtures/dequantised.json"
place.parent.mkdir(parents=True, exist_ok=True)
place.write_text(json.dumps(cases, indent=1) + "\n")
print(place, len(cases))
