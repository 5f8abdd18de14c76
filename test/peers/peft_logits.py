"""Logits that transformers + PEFT compute for given token ids: the judge of an adapter folder that we wrote.

In:  --model, a Hugging Face folder; --adapter, a PEFT folder (left out: the base alone); --ids, a JSON file with a list
     of token id lists.
Out: --out, a .safetensors file with `logits.<i>` [T, V] in float32, one for each list. Each list runs alone, so no
     padding takes part.

Called by check-peft.ts in the environment that python-env.ts makes. Not part of `npm test`.
"""

import argparse
import json

import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--adapter")
    parser.add_argument("--ids", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()

    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    if args.adapter:
        model = PeftModel.from_pretrained(model, args.adapter)
    model.eval()
    with open(args.ids, encoding="utf-8") as file:
        rows = json.load(file)
    logits = {}
    with torch.no_grad():
        for index, ids in enumerate(rows):
            logits[f"logits.{index}"] = model(input_ids=torch.tensor([ids])).logits[0].float().contiguous()
    save_file(logits, args.out)
    adapted = [name for name, _ in model.named_modules() if name.endswith("lora_A.default")]
    print(json.dumps({"rows": len(rows), "adaptedModules": len(adapted), "torch": torch.__version__}))


if __name__ == "__main__":
    main()
