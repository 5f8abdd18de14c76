"""PEFT LoRA on the CPU in float32: the training speed and memory that ours is compared with.

In:  --model, a Hugging Face folder; --batches, a .safetensors file with input_ids, labels and attention_mask [rows, T];
     optionally --start, a .safetensors file with <module>.A and <module>.B, or A0.<module> alone (B is then 0): the same
     start as another trainer's. --kind says what trains: lora; null_v1, where the start is first taken off the weight;
     null_v2, where A stays as well.
Out: one JSON object on stdout: real tokens a second (sum of the attention mask over the time spent in steps, no
     padding counted), peak resident memory, losses and gradient norms. Progress goes to stderr.

Run by `npm run bench`, or by hand in the environment that python-env.ts makes. Not part of `npm test`.
"""

import argparse
import json
import math
import os
import sys
import time

import peft
import torch
import transformers
from peak_memory import peak_bytes
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def learning_rate_share(step: int, steps: int) -> float:
    """Linear warm-up over 3 % of the steps, then a cosine to 0."""
    warm = math.ceil(0.03 * steps)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))


def place_start(module, name: str, start: dict, kind: str) -> None:
    a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
    # A missing start is an error, not a guess.
    a.data.copy_(start[f"{name}.A"] if f"{name}.A" in start else start[f"A0.{name}"])
    if f"{name}.B" in start:
        b.data.copy_(start[f"{name}.B"])
    if kind != "lora":
        module.base_layer.weight.data -= module.scaling["default"] * (b.data @ a.data)
    if kind == "null_v2":
        a.requires_grad_(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--batches", required=True)
    parser.add_argument("--start")
    parser.add_argument("--kind", choices=["lora", "null_v1", "null_v2"], default="lora")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()

    began = time.perf_counter()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    rows = load_file(args.batches)
    base = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    base.config.use_cache = False
    config = LoraConfig(r=args.rank, lora_alpha=args.rank, lora_dropout=0.0, target_modules=PROJECTIONS, task_type="CAUSAL_LM")
    model = get_peft_model(base, config)
    model.train()
    if args.start:
        start = load_file(args.start)
        for name, module in model.named_modules():
            if hasattr(module, "lora_A"):
                place_start(module, name.removeprefix("base_model.model."), start, args.kind)

    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=args.lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    total = rows["input_ids"].shape[0]
    losses, norms, times, tokens = [], [], [], []
    load_seconds = time.perf_counter() - began
    cpu_before = time.process_time()
    for step in range(args.steps):
        picked = [(step * args.batch + i) % total for i in range(args.batch)]
        started = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = args.lr * learning_rate_share(step, args.steps)
        out = model(
            input_ids=rows["input_ids"][picked].long(),
            attention_mask=rows["attention_mask"][picked].long(),
            labels=rows["labels"][picked].long(),
        )
        out.loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(trainable, float("inf"))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        times.append(time.perf_counter() - started)
        tokens.append(int(rows["attention_mask"][picked].sum()))
        losses.append(out.loss.item())
        norms.append(norm.item())
        print(f"step {step + 1}/{args.steps}: loss {losses[-1]:.4f}, {tokens[-1] / times[-1]:.1f} tokens/s", file=sys.stderr)

    cpu_seconds = time.process_time() - cpu_before
    # The first step also pays for memory that later steps reuse, so both rates are given.
    warm = slice(1, None) if args.steps > 1 else slice(None)
    print(json.dumps({
        "tokensPerSecond": sum(tokens) / sum(times),
        "tokensPerSecondAfterFirstStep": sum(tokens[warm]) / sum(times[warm]),
        "tokens": sum(tokens),
        "stepSeconds": times,
        "tokensOfStep": tokens,
        "cpuSeconds": cpu_seconds,
        "loadSeconds": load_seconds,
        "peakBytes": peak_bytes(),
        "lossNats": losses,
        "gradNorm": norms,
        "rank": args.rank,
        "batch": args.batch,
        "threads": args.threads,
        "torch": torch.__version__,
        "peft": peft.__version__,
        "transformers": transformers.__version__,
    }))


if __name__ == "__main__":
    main()
