"""Runs a program and prints what it cost, as the benchmarks do for a step, after what the program prints.

usage: timed.py NAME PROGRAM [ARGUMENT…]
"""

import resource
import subprocess
import sys
import time

wall = time.perf_counter()
subprocess.run(sys.argv[2:], check=True)
wall = time.perf_counter() - wall
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
print(f"{sys.argv[1]:38} {wall:9.3f} s  cpu {cpu:8.2f}  peak {peak:9.1f} MB")
