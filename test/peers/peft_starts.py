"""Starts that PEFT's own initialisers make, for weights and inputs that it is given: the judge of ours.

In:  --cases, a .safetensors file with NAME.weight [out, in] and NAME.inputs [T, in], float32; --rank.
Out: --out, a .safetensors file with METHOD.NAME.A [R, in] and METHOD.NAME.B [out, R], float64, for pissa, olora,
     corda-knowledge, corda-task and eva; and stock.METHOD.NAME.* of PEFT as it comes.

PEFT works in float32 and takes EVA's singular vectors from a random low-rank SVD. `exactly` runs the same code in float64
with the full SVD, by replacing where it says float32 and nothing else:
  tuners/lora/corda.py   `input.float()`, `weight.data.float()`, `covariance_matrix.float()` give float64; so do torch.ones and torch.eye
  tuners/lora/layer.py   `weight.to(torch.float32)` of pissa_init, olora_init (and corda_init) gives float64
  tuners/lora/eva.py     `states.to(torch.float32)` likewise; utils/incremental_pca.py: the full SVD for svd_lowrank
Then what is left of a difference to ours is ours. EVA gets all inputs in one batch, four times over (it stops when a batch
changes nothing): the mean and the singular vectors are those of all inputs.

Each case is a model of one linear layer. Called by check-starts.ts in the environment that python-env.ts makes. Not part
of `npm test`.
"""

import argparse
import contextlib
import json

import peft
import torch
from peft import EvaConfig, LoraConfig, get_peft_model, initialize_lora_eva_weights
from peft.tuners.lora.config import CordaConfig
from peft.tuners.lora.corda import preprocess_corda
from peft.utils.incremental_pca import IncrementalPCA
from safetensors.torch import load_file, save_file

METHODS = ("pissa", "olora", "corda-knowledge", "corda-task", "eva")


class OneLayer(torch.nn.Module):
    def __init__(self, weight: torch.Tensor):
        super().__init__()
        self.layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        self.layer.weight.data = weight.clone()

    def forward(self, x):
        return self.layer(x.type(self.layer.weight.dtype))


@contextlib.contextmanager
def exactly():
    float_, to, lowrank = torch.Tensor.float, torch.Tensor.to, IncrementalPCA._svd_fn_lowrank

    def wider(self, *args, **kwargs):
        return to(self, *(torch.float64 if arg is torch.float32 else arg for arg in args), **kwargs)

    torch.Tensor.float, torch.Tensor.to = (lambda self: self.double()), wider
    IncrementalPCA._svd_fn_lowrank = IncrementalPCA._svd_fn_full
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.Tensor.float, torch.Tensor.to, IncrementalPCA._svd_fn_lowrank = float_, to, lowrank
        torch.set_default_dtype(torch.float32)


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

    def keep(prefix: str) -> None:
        for method in METHODS:
            for name in names:
                a, b = start_of(method, cases[f"{name}.weight"], cases[f"{name}.inputs"], args.rank)
                for factor, value in (("A", a), ("B", b)):
                    found[f"{prefix}{method}.{name}.{factor}"] = value.double().contiguous()

    keep("stock.")
    with exactly():
        keep("")
    save_file(found, args.out)
    print(json.dumps({"peft": peft.__version__, "torch": torch.__version__, "starts": len(found) // 2}))


if __name__ == "__main__":
    main()
