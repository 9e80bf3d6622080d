"""What can be wrong with a device, a recording or a stream.

    DeviceError (Exception)
    ├── DeviceNotFound   nothing there by that name
    ├── DeviceBusy       there, but somebody else holds it
    ├── DeviceLost       was there, and went away while in use
    ├── Unsupported      there, but cannot do what was asked (rate, frequency, sample type)
    ├── SourceError      a recording or stream that cannot be read: format, header, contents
    └── SinkError        a recording that cannot be written: no space, no permission

Each message names the device or file, the value, the limit and the nearest right answer, in words for a technician.
"""


class DeviceError(Exception):
    """Base of everything `hw` raises for a device, recording or stream."""


class DeviceNotFound(DeviceError):
    """Nothing there by that name."""


class DeviceBusy(DeviceError):
    """The device is there, but somebody else holds it."""


class DeviceLost(DeviceError):
    """The device went away while in use."""


class Unsupported(DeviceError):
    """The device is there but cannot do what was asked."""


class SourceError(DeviceError):
    """A recording or stream that cannot be read."""


class SinkError(DeviceError):
    """A recording that cannot be written."""
