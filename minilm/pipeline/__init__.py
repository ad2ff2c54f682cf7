"""From raw text to a corpus, on one machine or many: the steps of `minilm.data.corpus` as stages that can be stopped and gone on with.

- `settings`: what decides how a corpus comes out;
- `work`: the folder of the work, what is planned, and what is done;
- `read`, `copies`, `split`, `pack`, `finish`: the stages; `counts`: what they report; `stages`: their table;
- `processes`: who computes them on this machine, through `serve`; `cluster`: on others, by Dask;
- `runner`: all of it in a row, `build`;
- `plain`: the same for texts that fit into memory, without stages, as specification.
"""

from minilm.pipeline.processes import Here, Processes
from minilm.pipeline.runner import build
from minilm.pipeline.settings import RULE_NAMES, Settings
from minilm.pipeline.work import NOT_STATED, Collection

__all__ = ["NOT_STATED", "RULE_NAMES", "Collection", "Here", "Processes", "Settings", "build"]
