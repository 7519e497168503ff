"""PyOD's AutoEncoder, with its defaults, doing what the command `rftm` does; called by `tool`.

    python tool.py start
    python tool.py fit TRAIN.csv MODEL         fits and saves, with joblib, as PyOD's documentation does
    python tool.py score MODEL NEW.csv OUT.csv
    python tool.py pipe MODEL                  a score for each line of standard input, at once
    python tool.py memory MODEL NEW.csv        times in memory, as JSON
"""

import json
import statistics
import sys
import time

import joblib
import numpy as np
import pyod
import torch
from pyod.models.auto_encoder import AutoEncoder


def table(path):
    return np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.float32, ndmin=2)


def fit(train, model):
    joblib.dump(AutoEncoder(random_state=1997, verbose=0).fit(table(train)), model)


def score(model, new, out):
    np.savetxt(out, joblib.load(model).decision_function(table(new)), header="score", comments="")


def pipe(model):
    detector = joblib.load(model)
    sys.stdin.readline()
    print("score", flush=True)
    for line in sys.stdin:
        row = np.array([line.split(",")], dtype=np.float32)
        print(detector.decision_function(row)[0], flush=True)


def memory(model, new):
    detector, rows = joblib.load(model), table(new)

    def timed(part):
        begin = time.perf_counter()
        detector.decision_function(part)
        return time.perf_counter() - begin

    timed(rows[:1])
    one = [timed(rows[row : row + 1]) for row in range(100)]
    whole = [timed(rows) for _ in range(3)]
    versions = f"pyod {pyod.__version__}, torch {torch.__version__}, numpy {np.__version__}"
    times = {"row": statistics.median(one), "rows": statistics.median(whole)}
    print(json.dumps(times | {"count": len(rows), "threads": torch.get_num_threads(), "versions": versions}))


TASKS = {"start": lambda: None, "fit": fit, "score": score, "pipe": pipe, "memory": memory}
TASKS[sys.argv[1]](*sys.argv[2:])
