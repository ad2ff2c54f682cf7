"""The only place that knows NumPy from CuPy: devices, the two doors between them, and the hot kernels.

Everything above this package reads as plain NumPy through ``device.xp``. Arrays change sides in two functions only:
`to_device` and `to_host`.
"""

from minilm.backend.cuda.cublas import allow_tf32, tf32_allowed
from minilm.backend.device import Device, DeviceError
from minilm.backend.quiet import is_nested, quiet, quiet_call
from minilm.backend.registry import (
    DEVICE_OF_TYPE,
    as_array,
    compiled_loops,
    cpu,
    device_of,
    get_device,
    is_compiled,
    is_device_name,
    read_only,
    register_device,
    to_device,
    to_host,
    use_compiled,
    writable,
)
from minilm.backend.threads import get_num_threads, set_num_threads

__all__ = [
    "DEVICE_OF_TYPE",
    "Device",
    "DeviceError",
    "allow_tf32",
    "as_array",
    "compiled_loops",
    "cpu",
    "device_of",
    "get_device",
    "get_num_threads",
    "is_compiled",
    "is_device_name",
    "is_nested",
    "quiet",
    "quiet_call",
    "read_only",
    "register_device",
    "set_num_threads",
    "tf32_allowed",
    "to_device",
    "to_host",
    "use_compiled",
    "writable",
]
