"""Most memory that this process has held, in bytes, on Linux, macOS and Windows."""

import sys


def peak_bytes() -> int:
    if sys.platform == "win32":
        import psutil  # accelerate brings it

        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
