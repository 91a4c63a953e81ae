"""Memory of this process."""

import ctypes
import gc


def peak_mb():
    """Peak resident memory of this process; `ru_maxrss` would count that of the parent before the program started."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 / 1e6
    except FileNotFoundError:
        return None


def forget_peak():
    """From now on the peak is that of what follows: what was only needed on the way here is given back, where the system can."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
        with open("/proc/self/clear_refs", "w") as peaks:
            peaks.write("5")
    except (OSError, AttributeError):
        pass
