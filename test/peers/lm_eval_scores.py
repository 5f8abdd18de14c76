"""Prompts and scores of lm-evaluation-harness for cases of our own: the tables that test/probe/lm-eval.test.ts compares with.

In:  test/probe/fixtures/cases.json (our own questions, answers and texts; nothing of any data set).
Out: test/probe/fixtures/lm-eval.json, with what the harness's own functions say to each:
     - "prompts": every task's prompt with 0 and 2 examples, from its own YAML over our rows;
     - "scores": nq_open and triviaqa exact match, gsm8k strict and flexible, webqs choices;
     - with --model, "greedy": webqs over questions of our own with that model (SmolLM2-135M-Instruct), each accepted
       answer's log-likelihood and whether it is the greedy continuation;
     - "math": Hendrycks's box, normal form and equality, Minerva's normal form and stated answer.

Symbolic algebra (sympy over LaTeX) is left out of Minerva's equality on our side too, so only its normal forms are kept.
Run by hand in the environment that python-env.ts makes; not part of `npm test`:

    .cache/peers/venv/bin/python test/peers/lm_eval_scores.py --model DIR
"""

import argparse
import importlib
import importlib.metadata
import json
import os
import sys
import types
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")

import datasets
import lm_eval
import yaml
from lm_eval.api.metrics import exact_match_hf_evaluate
from lm_eval.api.task import ConfigurableTask
from lm_eval.filters.extraction import RegexFilter
from lm_eval.models.utils import postprocess_generated_text

HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parent / "probe" / "fixtures"
TASKS = Path(lm_eval.__file__).parent / "tasks"


def stand_in(name: str, **attributes) -> None:
    """A module that the task files import for things that are not used here (running programs, symbolic algebra)."""
    module = types.ModuleType(name)
    for key, value in attributes.items():
        setattr(module, key, value)
    sys.modules[name] = module


def task_module(path: str):
    spec = importlib.util.spec_from_file_location(path.replace("/", "."), TASKS / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_yaml(path: str) -> dict:
    """A task's YAML; its !function tags are resolved beside it."""
    folder = (TASKS / path).parent

    class Loader(yaml.SafeLoader):
        pass

    def function(loader, node):
        module, name = loader.construct_scalar(node).split(".")
        return getattr(task_module(str((folder / f"{module}.py").relative_to(TASKS))), name)

    Loader.add_constructor("!function", function)
    return yaml.load((TASKS / path).read_text(encoding="utf-8"), Loader=Loader)


def local_task(path: str, rows: list, shots: list) -> ConfigurableTask:
    config = read_yaml(path)
    for key in ("dataset_name", "dataset_path", "include", "tag", "metric_list", "unsafe_code", "filter_list", "process_results"):
        config.pop(key, None)
    config.update(
        custom_dataset=lambda **_: datasets.DatasetDict({"train": datasets.Dataset.from_list(shots), "test": datasets.Dataset.from_list(rows)}),
        training_split="train", validation_split=None, test_split="test", fewshot_split="train",
        fewshot_config={"sampler": "first_n"},
        metric_list=[{"metric": "exact_match"}],
    )
    return ConfigurableTask(config=config)


def prompts(rows: dict) -> dict:
    paths = {
        "nq_open": "nq_open/nq_open.yaml", "triviaqa": "triviaqa/default.yaml", "webqs": "webqs/webqs.yaml", "gsm8k": "gsm8k/gsm8k.yaml",
        "math": "minerva_math/minerva_math_algebra.yaml", "humaneval": "humaneval/humaneval.yaml", "mbpp": "mbpp/mbpp.yaml",
    }
    result = {}
    for name, path in paths.items():
        # A row that is shown is marked so where the task's templates ask for it.
        mark = {"math": {"few_shot": "1"}, "mbpp": {"is_fewshot": True}}.get(name, {})
        shots = [{**row, **mark} for row in rows[name][:2]]
        task = local_task(path, rows[name], shots)
        result[name] = []
        for doc in list(task.test_docs())[2:]:
            targets = task.doc_to_target(doc)
            result[name].append({
                "zero": task.fewshot_context(doc, 0),
                # The harness itself fails on examples of webqs: its target is a list of choices.
                "two": None if name == "webqs" else task.fewshot_context(doc, 2),
                "choices": task.doc_to_choice(doc) if name == "webqs" else None,
                "target": targets if name in ("nq_open", "triviaqa", "gsm8k") else None,
                "stops": task.config.generation_kwargs.get("until") if name != "webqs" else [],
            })
    return result


def short_scores(cases: list) -> list:
    until = ["\n", ".", ","]
    marks = {"nq_open": ["\\b(?:The |the |An |A |The |a |an )"], "triviaqa": None}
    scored = []
    for case in cases:
        filtered = postprocess_generated_text(case["text"], until, None).strip()
        score = {
            name: max(
                float(exact_match_hf_evaluate([filtered], [gold], regexes_to_ignore=marks[name], ignore_case=True, ignore_punctuation=True)["exact_match"])
                for gold in case["accepted"]
            )
            for name in marks
        }
        scored.append({**case, "filtered": filtered, **score})
    return scored


def gsm8k_scores(cases: list) -> list:
    task = yaml.safe_load((TASKS / "gsm8k/gsm8k.yaml").read_text(encoding="utf-8"))
    metric = {key: value for key, value in task["metric_list"][0].items() if key in ("ignore_case", "ignore_punctuation", "regexes_to_ignore")}
    filters = {one["name"]: RegexFilter(**{key: value for key, value in one["filter"][0].items() if key != "function"}) for one in task["filter_list"]}
    scored = []
    for case in cases:
        cut = postprocess_generated_text(case["text"], task["generation_kwargs"]["until"], None)
        row = dict(case)
        for name, filter_ in filters.items():
            extracted = list(filter_.apply([[cut]], [{}]))[0][0]
            row[name] = float(exact_match_hf_evaluate([extracted], [case["answer"]], **metric)["exact_match"])
        scored.append(row)
    return scored


def math_scores(cases: dict) -> dict:
    hendrycks = task_module("hendrycks_math/utils.py")
    minerva = task_module("minerva_math/utils.py")

    def box(text: str):
        found = hendrycks.last_boxed_only_string(text)
        try:
            return None if found is None else hendrycks.remove_boxed(found)
        except AssertionError:
            return None

    return {
        "boxes": [{"text": text, "box": box(text)} for text in cases["texts"]],
        "stated": [{"text": text, "answer": minerva.get_unnormalized_answer(text)} for text in cases["texts"]],
        "forms": [{"answer": answer, "minerva": minerva.normalize_final_answer(answer)} for answer in cases["answers"]],
        # Pairs of different answers that are equal; all others are not.
        "equal": [[a, b] for i, a in enumerate(cases["answers"]) for b in cases["answers"][:i] if hendrycks.is_equiv(a, b)],
    }


def greedy_answers(model: str, rows: list) -> list:
    """Float32, one by one: what the harness's loglikelihood says of every choice of webqs."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    lm = HFLM(pretrained=model, device="cpu", dtype="float32", batch_size=1)
    task = local_task("webqs/webqs.yaml", rows, rows[:1])
    result = []
    for doc in task.test_docs():
        choices = task.doc_to_choice(doc)
        context = task.fewshot_context(doc, 0)
        requests = [Instance(request_type="loglikelihood", doc=doc, arguments=(context, f" {choice}"), idx=i) for i, choice in enumerate(choices)]
        answers = lm.loglikelihood(requests, disable_tqdm=True)
        exact = task.process_results(doc, answers)["exact_match"]
        result.append({"question": doc["question"], "choices": choices, "logLikelihoods": [one[0] for one in answers], "areGreedy": [bool(one[1]) for one in answers], "exact_match": exact})
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    model = parser.parse_args().model
    stand_in("evaluate", load=lambda _: types.SimpleNamespace(compute=lambda **_: None))
    stand_in("antlr4")
    stand_in("math_verify", parse=None, verify=None)
    real_version = importlib.metadata.version
    importlib.metadata.version = lambda name: "4.11" if name.startswith("antlr4") else real_version(name)

    cases = json.loads((FIXTURES / "cases.json").read_text(encoding="utf-8"))
    result = {
        "lmEval": real_version("lm_eval"),
        "prompts": prompts(cases["rows"]),
        "short": short_scores(cases["short"]),
        "gsm8k": gsm8k_scores(cases["gsm8k"]),
        "math": math_scores(cases["math"]),
        "greedy": greedy_answers(model, cases["greedy"]),
    }
    (FIXTURES / "lm-eval.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps({"lmEval": result["lmEval"], "short": len(result["short"]), "gsm8k": len(result["gsm8k"]), "equal": len(result["math"]["equal"])}))


if __name__ == "__main__":
    main()
