"""Fits PyOD's detectors, with their defaults, on the splits that `tables` wrote, and scores with them.

    python tables.py FOLDER DETECTOR,... --threads T

FOLDER has a folder for each split, `TABLE-SEED`, with train.npy and test.npy. Scores are written there as
DETECTOR.npy; for each split and detector one JSON line is printed: times, or why there are none.

"knn-zscore" is KNN on columns of mean 0 and deviation 1 (of the training rows); PyOD's AutoEncoder does that by itself.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("folder", type=Path)
arguments.add_argument("detectors")
arguments.add_argument("--threads", type=int, default=1)
arguments = arguments.parse_args()
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = str(arguments.threads)

try:
    import numpy as np
    import pyod
    import sklearn
    import torch
    from pyod.models.auto_encoder import AutoEncoder
    from pyod.models.ecod import ECOD
    from pyod.models.iforest import IForest
    from pyod.models.knn import KNN
except ImportError as error:
    sys.exit(f"PyOD or what it needs is missing: {error}; pip install pyod torch tqdm")

torch.set_num_threads(arguments.threads)

# Where a detector is random, the split's seed is its seed; all else is PyOD's default.
MAKE = {
    "autoencoder": lambda seed: AutoEncoder(random_state=seed, verbose=0),
    "iforest": lambda seed: IForest(random_state=seed),
    "ecod": lambda seed: ECOD(),
    "knn": lambda seed: KNN(),
    "knn-zscore": lambda seed: KNN(),
}
SINGLE_ROWS, SINGLE_SECONDS = 100, 2.0


def standardised(train):
    """Brings rows to the mean 0 and the deviation 1 that the columns of `train` get by it."""
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    deviation[deviation == 0] = 1
    return lambda rows: (rows - mean) / deviation


def measure(name, seed, train, test):
    """Scores of the test rows, and seconds to fit, to score them all, and to score one."""
    begin = time.perf_counter()
    scale = standardised(train) if name.endswith("-zscore") else lambda rows: rows
    detector = MAKE[name](seed).fit(scale(train))
    fit = time.perf_counter() - begin

    def score(rows):
        return detector.decision_function(scale(rows))

    score(test[:1])
    times = []
    while len(times) < 3 and sum(times) < 5:
        begin = time.perf_counter()
        scores = score(test)
        times.append(time.perf_counter() - begin)
    single = []
    for row in range(min(SINGLE_ROWS, len(test))):
        begin = time.perf_counter()
        score(test[row : row + 1])
        single.append(time.perf_counter() - begin)
        if sum(single) > SINGLE_SECONDS:
            break
    return scores, fit, min(times), statistics.median(single)


versions = f"pyod {pyod.__version__}, scikit-learn {sklearn.__version__}, torch {torch.__version__}, numpy {np.__version__}"
for folder in sorted(arguments.folder.iterdir()):
    table, seed = folder.name.rsplit("-", 1)
    train, test = (np.load(folder / f"{part}.npy") for part in ("train", "test"))
    for name in arguments.detectors.split(","):
        line = {"table": table, "seed": int(seed), "detector": name, "versions": versions}
        try:
            scores, fit, whole, single = measure(name, int(seed), train, test)
            np.save(folder / f"{name}.npy", np.asarray(scores, dtype=np.float64))
            line |= {"fit_s": fit, "score_s": whole, "single_ms": 1e3 * single}
        except Exception as error:  # A detector that fails on a table is a result, not the end of the run.
            line["failed"] = f"{type(error).__name__}: {error}"
        print(json.dumps(line), flush=True)
