"""A child process that ends with this one, however this one ends, on every platform.

On POSIX a shell stands in between. It starts the program and waits for it, while a second shell reads from a pipe that
this process holds open: when this process ends, even by SIGKILL, the pipe closes and the program is killed. Nothing has
to run between fork and exec, which is not safe beside threads, and macOS has nothing like Linux's parent-death signal.
On Windows the child is in a job object that kills it when its last handle closes, and this process holds the only one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

SHELL = "/bin/sh"
GUARD = """
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
{ read -r _ <&3; kill -KILL "$program"; } >/dev/null 2>&1 &
watcher=$!
exec 3<&- >/dev/null 2>&1 </dev/null
wait "$program"
status=$?
kill -KILL "$watcher"
exit "$status"
"""


def start_guarded(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start `command`, stdout and stderr on one pipe, so that it ends when this process does or its stdin is closed.

    Raises:
        OSError: it cannot be started.
    """
    if sys.platform == "win32":
        process = subprocess.Popen(
            list(command),
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            creationflags=subprocess.CREATE_NO_WINDOW,
        )
        _tie_to_this_process(process)
        return process
    return subprocess.Popen(
        [SHELL, "-c", GUARD, "guard", *command],
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def output_of(process: subprocess.Popen[bytes]) -> IO[bytes]:
    """Return the pipe with what the program writes."""
    if process.stdout is None:
        raise ValueError("not started by start_guarded")
    return process.stdout


def end_guarded(process: subprocess.Popen[bytes], timeout_s: float = 10.0) -> None:
    """End what `start_guarded` started and wait for it. Idempotent."""
    if process.stdin is not None:
        process.stdin.close()
    if sys.platform == "win32":
        process.kill()
    process.wait(timeout_s)


if sys.platform == "win32":
    PROCESS_SET_QUOTA_AND_TERMINATE = 0x0101
    EXTENDED_LIMIT_INFORMATION = 9
    KILL_ON_JOB_CLOSE = 0x2000

    class _BasicLimits(ctypes.Structure):
        """JOBOBJECT_BASIC_LIMIT_INFORMATION of winnt.h."""

        _fields_ = (
            ("per_process_user_time_limit", ctypes.c_int64),
            ("per_job_user_time_limit", ctypes.c_int64),
            ("limit_flags", wintypes.DWORD),
            ("minimum_working_set_size", ctypes.c_size_t),
            ("maximum_working_set_size", ctypes.c_size_t),
            ("active_process_limit", wintypes.DWORD),
            ("affinity", ctypes.c_size_t),
            ("priority_class", wintypes.DWORD),
            ("scheduling_class", wintypes.DWORD),
        )

    class _ExtendedLimits(ctypes.Structure):
        """JOBOBJECT_EXTENDED_LIMIT_INFORMATION of winnt.h."""

        _fields_ = (
            ("basic", _BasicLimits),
            ("io_counters", ctypes.c_uint64 * 6),
            ("process_memory_limit", ctypes.c_size_t),
            ("job_memory_limit", ctypes.c_size_t),
            ("peak_process_memory_used", ctypes.c_size_t),
            ("peak_job_memory_used", ctypes.c_size_t),
        )

    def _tie_to_this_process(process: subprocess.Popen[bytes]) -> None:
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        for function in (kernel.CreateJobObjectW, kernel.OpenProcess):
            function.restype = wintypes.HANDLE
        kernel.SetInformationJobObject.argtypes = (wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD)
        kernel.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
        kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
        limits = _ExtendedLimits()
        limits.basic.limit_flags = KILL_ON_JOB_CLOSE
        # The job's handle is never closed: the end of this process closes it.
        job = kernel.CreateJobObjectW(None, None)
        child = kernel.OpenProcess(PROCESS_SET_QUOTA_AND_TERMINATE, False, process.pid)  # noqa: FBT003 - a BOOL
        tied = (
            job
            and child
            and kernel.SetInformationJobObject(
                job, EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), ctypes.sizeof(limits)
            )
            and kernel.AssignProcessToJobObject(job, child)
        )
        if child:
            kernel.CloseHandle(child)
        if not tied:
            process.kill()
            raise ctypes.WinError(ctypes.get_last_error())
