"""lm-evaluation-harness on local questions: the probe speed and the scores that ours are compared with.

In:  --model, a Hugging Face folder; --questions and --shots-from, JSONL files of {"question", "answer": [...]} (the
     nq_open form); optionally --adapter, a PEFT folder.
Out: one JSON object on stdout: questions a second while it generates (task set-up and scoring left out, in the
     harness's favour) and over its whole evaluation, exact match, and with --samples FILE each prompt, raw generation
     and score as JSONL.

The task is the harness's own nq_open with the dataset replaced by the local files and the first rows of --shots-from
as shots. Run by `npm run bench`, or by hand in the environment that python-env.ts makes. Not part of `npm test`.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")

import lm_eval
import torch
import transformers
import yaml
from lm_eval.models.huggingface import HFLM
from peak_memory import peak_bytes


def local_task(questions: str, shots_from: str, new_tokens: int) -> dict:
    source = Path(lm_eval.__file__).parent / "tasks/nq_open/nq_open.yaml"
    task = yaml.safe_load(source.read_text(encoding="utf-8"))
    task["task"] = "nq_open_local"
    task["dataset_path"] = "json"
    task["dataset_kwargs"] = {"data_files": {"train": shots_from, "validation": questions}}
    task["fewshot_config"] = {"sampler": "first_n"}
    task["generation_kwargs"]["max_gen_toks"] = new_tokens
    return task


class TimedModel(HFLM):
    """The harness's own model; remembers how long the answers took."""

    generate_seconds = 0.0

    def generate_until(self, *args, **kwargs):
        started = time.perf_counter()
        answers = super().generate_until(*args, **kwargs)
        self.generate_seconds += time.perf_counter() - started
        return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--adapter")
    parser.add_argument("--questions", required=True)
    parser.add_argument("--shots-from", required=True)
    parser.add_argument("--shots", type=int, default=5)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--new-tokens", type=int, default=256)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--samples")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    began = time.perf_counter()
    model = TimedModel(pretrained=args.model, peft=args.adapter, device="cpu", dtype="float32", batch_size=args.batch)
    load_seconds = time.perf_counter() - began
    started, cpu_before = time.perf_counter(), time.process_time()
    result = lm_eval.simple_evaluate(
        model=model,
        tasks=[local_task(args.questions, args.shots_from, args.new_tokens)],
        num_fewshot=args.shots,
        limit=args.limit,
        bootstrap_iters=0,
        log_samples=True,
    )
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_before
    samples = result["samples"]["nq_open_local"]
    if args.samples:
        with open(args.samples, "w", encoding="utf-8") as file:
            for sample in samples:
                file.write(json.dumps({
                    "prompt": sample["arguments"][0][0],
                    "answers": sample["doc"]["answer"],
                    "generated": sample["resps"][0][0],
                    "exact_match": sample["exact_match"],
                }) + "\n")
    print(json.dumps({
        "questions": len(samples),
        "questionsPerSecond": len(samples) / model.generate_seconds,
        "generateSeconds": model.generate_seconds,
        "wholeEvaluationSeconds": seconds,
        "loadSeconds": load_seconds,
        "cpuSeconds": cpu_seconds,
        "peakBytes": peak_bytes(),
        "exactMatch": sum(s["exact_match"] for s in samples) / len(samples),
        "shots": args.shots,
        "batch": args.batch,
        "threads": args.threads,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "lmEval": lm_eval.__version__,
    }))


if __name__ == "__main__":
    main()
