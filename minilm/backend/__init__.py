"""The only place that knows NumPy from CuPy: devices, the two doors between them, and the hot kernels.

Everything above this package reads as plain NumPy through ``device.xp``. Arrays change sides in two functions only:
`to_device` and `to_host`.
"""

from minilm.backend.device import (
    Device,
    DeviceError,
    as_array,
    cpu,
    device_of,
    get_device,
    is_device_name,
    register_device,
    to_device,
    to_host,
)

__all__ = [
    "Device",
    "DeviceError",
    "as_array",
    "cpu",
    "device_of",
    "get_device",
    "is_device_name",
    "register_device",
    "to_device",
    "to_host",
]
