"""PEFT LoRA on the CPU in float32: the training speed and memory that ours is compared with.

In:  --model, a Hugging Face folder; --batches, a .safetensors file with input_ids, labels and attention_mask [rows, T];
     optionally --start, a .safetensors file with A0.<module> (for the same random start as another trainer; B is 0).
Out: one JSON object on stdout: real tokens a second (sum of the attention mask over the time spent in steps, no
     padding counted), peak resident memory, losses and gradient norms. Progress goes to stderr.

Run by `npm run bench`, or by hand in the environment that python-env.ts makes. Not part of `npm test`.
"""

import argparse
import json
import math
import os
import resource
import sys
import time

import torch
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


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--batches", required=True)
    parser.add_argument("--start")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()

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
                key = "A0." + name.removeprefix("base_model.model.")
                # Names may or may not carry the leading "model."; a missing start is an error, not a guess.
                tensor = start[key] if key in start else start[key.replace("A0.model.", "A0.")]
                module.lora_A["default"].weight.data.copy_(tensor)

    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=args.lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    total = rows["input_ids"].shape[0]
    losses, norms, times, tokens = [], [], [], []
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

    # The first step also pays for memory that later steps reuse, so both rates are given.
    warm = slice(1, None) if args.steps > 1 else slice(None)
    print(json.dumps({
        "tokensPerSecond": sum(tokens) / sum(times),
        "tokensPerSecondAfterFirstStep": sum(tokens[warm]) / sum(times[warm]),
        "tokens": sum(tokens),
        "stepSeconds": times,
        "peakBytes": peak_bytes(),
        "lossNats": losses,
        "gradNorm": norms,
        "rank": args.rank,
        "batch": args.batch,
        "threads": args.threads,
        "torch": torch.__version__,
    }))


if __name__ == "__main__":
    main()
