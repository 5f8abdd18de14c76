"""The official route to a LoRA-Null start, as its formula has it: the solver that ours is compared with.

In:  --cases, a .safetensors file with NAME.gram [D, D] in float64 and NAME.weight [out, D]; --rank.
Out: one JSON object on stdout: for each case the seconds of both decompositions, the processor time of both together
     (all threads), the energy tr(Unᵀ G Un) and the norm ‖B A‖ found.

For each projection by itself: U S Vᵀ = full SVD of the Gram matrix, Un = the last R columns of U; then the full SVD of
W Un Unᵀ cut at R, B = U √S, A = √S Vᵀ. Written by us from the paper (Tang et al., arXiv 2503.02659); float64 all
through, LAPACK as PyTorch calls it. The SVD of W Un Unᵀ leaves out the vectors that no one asks for
(full_matrices=False), in the official route's favour. Run by `npm run bench`. Not part of `npm test`.
"""

import argparse
import json
import os
import sys
import time

import torch
from peak_memory import peak_bytes
from safetensors import safe_open


def start_of(gram: torch.Tensor, weight: torch.Tensor, rank: int) -> dict:
    started, cpu_before = time.perf_counter(), time.process_time()
    u, _, _ = torch.linalg.svd(gram)
    null = u[:, -rank:]
    basis_done = time.perf_counter()
    left, values, right = torch.linalg.svd(weight @ null @ null.T, full_matrices=False)
    roots = values[:rank].sqrt()
    b, a = left[:, :rank] * roots, roots[:, None] * right[:rank]
    done, cpu_seconds = time.perf_counter(), time.process_time() - cpu_before
    energy = torch.einsum("dr,de,er->", null, gram, null).item()
    return {
        "basisSeconds": basis_done - started,
        "splitSeconds": done - basis_done,
        "cpuSeconds": cpu_seconds,
        "energy": energy,
        "norm": torch.linalg.norm(b @ a).item(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", required=True)
    parser.add_argument("--rank", type=int, required=True)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.linalg.svd(torch.eye(64, dtype=torch.float64))  # LAPACK is loaded on its first call
    found = []
    with safe_open(args.cases, framework="pt") as file:
        for name in sorted(key.removesuffix(".gram") for key in file.keys() if key.endswith(".gram")):
            gram, weight = file.get_tensor(f"{name}.gram"), file.get_tensor(f"{name}.weight").double()
            found.append({"name": name, "shape": list(weight.shape), **start_of(gram, weight, args.rank)})
            seconds = found[-1]["basisSeconds"] + found[-1]["splitSeconds"]
            print(f"{name} {found[-1]['shape']}: {seconds:.2f} s", file=sys.stderr)
    print(json.dumps({
        "cases": found,
        "peakBytes": peak_bytes(),
        "threads": args.threads,
        "torch": torch.__version__,
    }))


if __name__ == "__main__":
    main()
