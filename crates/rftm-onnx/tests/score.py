"""Scores what tests/onnxruntime.rs exported. Argument: a folder with cases.txt, one case a line.

Exit code 77: onnxruntime is not installed.
"""

import sys
from pathlib import Path

try:
    import numpy as np
    import onnxruntime
except ImportError as error:
    print(error)
    sys.exit(77)

try:
    import onnx
except ImportError:
    onnx = None

folder = Path(sys.argv[1])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 3
for line in (folder / "cases.txt").read_text().splitlines():
    name, *shape = line.split()
    shape = [int(size) for size in shape]
    model = folder / f"{name}.onnx"
    if onnx is not None:
        onnx.checker.check_model(str(model), full_check=True)
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    x = np.fromfile(folder / f"{name}.input", dtype="<f4").reshape(-1, *shape)
    for label, size in (("whole", len(x)), ("single", 1)):
        batches = [x[start : start + size] for start in range(0, len(x), size)]
        results = [session.run(["score", "reconstruction"], {"input": batch}) for batch in batches]
        for index, result in enumerate(("score", "reconstruction")):
            values = np.concatenate([result[index] for result in results]).astype("<f4")
            values.tofile(folder / f"{name}.{label}.{result}")
    notes = session.get_modelmeta().custom_metadata_map
    assert notes["rftm.score"].endswith("higher = more anomalous"), notes
    assert notes["rftm.threshold"] == "0.25", notes
print(f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__ if onnx else 'absent'}")
