"""transformers' decoding speed on the CPU in float32: rows side by side over its key/value cache, greedy.

In:  --model, a Hugging Face folder; --rows, numbers of rows with commas; --prompt-tokens, --new-tokens, --threads.
Out: one JSON object on stdout: seconds of a step for each number of rows. Run by `npm run bench -- decode`, or by hand
     in the environment that python-env.ts makes. Not part of `npm test`.
"""

import argparse
import json
import time

import torch
import transformers
from peak_memory import peak_bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--rows", required=True)
    parser.add_argument("--prompt-tokens", type=int, required=True)
    parser.add_argument("--new-tokens", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    began = time.perf_counter()
    model = transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    model.eval()
    load_seconds = time.perf_counter() - began
    steps = []
    with torch.inference_mode():
        for rows in (int(part) for part in args.rows.split(",")):
            places = torch.arange(1, args.prompt_tokens + 1)
            ids = (places * 104729 + 7919 * torch.arange(rows)[:, None]) % model.config.vocab_size
            best = float("inf")
            for _ in range(2):
                out = model(input_ids=ids, use_cache=True, logits_to_keep=1)
                token = out.logits[:, -1].argmax(-1, keepdim=True)
                started = time.perf_counter()
                for _ in range(args.new_tokens - 1):
                    out = model(input_ids=token, past_key_values=out.past_key_values, use_cache=True)
                    token = out.logits[:, -1].argmax(-1, keepdim=True)
                best = min(best, (time.perf_counter() - started) / (args.new_tokens - 1))
            steps.append({"rows": rows, "stepSeconds": best})
    print(json.dumps({"loadSeconds": load_seconds, "steps": steps, "peakBytes": peak_bytes(), "torch": torch.__version__, "transformers": transformers.__version__}))


main()
