"""Both variants in 8 bits, computed by OpenVINO and without TensorFlow; the extra `fast`.

`import openvino` would report itself to its maker over the network, from a child that is forked while modules
are loaded: it leaves a folder in the user's home, and can hang. Here, and so wherever kind takes OpenVINO, it
finds nothing to report with.
"""

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
