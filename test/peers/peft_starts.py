"""Starts that PEFT's own initialisers make, for weights and inputs that it is given: the judge of ours.

In:  --cases, a .safetensors file with NAME.weight [out, in] and NAME.inputs [T, in], float32; --rank.
Out: --out, a .safetensors file with METHOD.NAME.A [R, in] and METHOD.NAME.B [out, R] for pissa, olora, corda-knowledge,
     corda-task and eva.

Each case is a model of one linear layer. Called by check-starts.ts in the environment that python-env.ts makes. Not part
of `npm test`.
"""

import argparse
import json

import peft
import torch
from peft import EvaConfig, LoraConfig, get_peft_model, initialize_lora_eva_weights
from peft.tuners.lora.config import CordaConfig
from peft.tuners.lora.corda import preprocess_corda
from safetensors.torch import load_file, save_file


class OneLayer(torch.nn.Module):
    def __init__(self, weight: torch.Tensor):
        super().__init__()
        self.layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        self.layer.weight.data = weight.clone()

    def forward(self, x):
        return self.layer(x)


def start_of(method: str, weight: torch.Tensor, inputs: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    model = OneLayer(weight)
    shared = {"r": rank, "lora_alpha": rank, "target_modules": ["layer"]}
    if method.startswith("corda"):
        kind = {"corda-knowledge": "kpm", "corda-task": "ipm"}[method]
        config = LoraConfig(init_lora_weights="corda", corda_config=CordaConfig(corda_method=kind), **shared)
        with torch.no_grad():
            preprocess_corda(model, config, run_model=lambda: model(inputs))
        tuned = get_peft_model(model, config)
    elif method == "eva":
        config = LoraConfig(init_lora_weights="eva", eva_config=EvaConfig(rho=1.0, use_label_mask=False, tau=0.9999), **shared)
        tuned = get_peft_model(model, config)
        batches = [{"x": inputs} for _ in range(4)]
        initialize_lora_eva_weights(
            tuned, dataloader=batches, forward_fn=lambda m, batch: m(batch["x"]), prepare_model_inputs_fn=None,
            prepare_layer_inputs_fn=lambda layer_input, model_input, layer_name: layer_input[0] if isinstance(layer_input, tuple) else layer_input,
            show_progress_bar=False,
        )
    else:
        tuned = get_peft_model(model, LoraConfig(init_lora_weights=method, **shared))
    layer = tuned.base_model.model.layer
    return layer.lora_A["default"].weight.detach(), layer.lora_B["default"].weight.detach()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", required=True)
    parser.add_argument("--rank", type=int, required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()

    torch.manual_seed(0)
    cases = load_file(args.cases)
    names = sorted({key.rsplit(".", 1)[0] for key in cases})
    found = {}
    for method in ("pissa", "olora", "corda-knowledge", "corda-task", "eva"):
        for name in names:
            a, b = start_of(method, cases[f"{name}.weight"], cases[f"{name}.inputs"], args.rank)
            found[f"{method}.{name}.A"], found[f"{method}.{name}.B"] = a.float().contiguous(), b.float().contiguous()
    save_file(found, args.out)
    print(json.dumps({"peft": peft.__version__, "torch": torch.__version__, "starts": len(found) // 2}))


if __name__ == "__main__":
    main()
