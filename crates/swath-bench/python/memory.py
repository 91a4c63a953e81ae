"""Memory of this process."""


def peak_mb():
    """Peak resident memory of this process; `ru_maxrss` would count that of the parent before the program started."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 / 1e6
    except FileNotFoundError:
        return None
