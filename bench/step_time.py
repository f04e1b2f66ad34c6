#!/usr/bin/env python3
"""A compiler launcher: runs the compiler and appends its CPU seconds, memory and output to $FPO_STEP_LOG (bench/build_time.sh)."""
import os
import resource
import subprocess
import sys

command = sys.argv[1:]
status = subprocess.call(command)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
output = command[command.index("-o") + 1] if "-o" in command else ""
line = f"{used.ru_utime + used.ru_stime:.2f}\t{used.ru_maxrss // 1024}\t{output}\n"
log = os.open(os.environ["FPO_STEP_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
os.write(log, line.encode())  # one write: lines of parallel steps do not mix
sys.exit(status)
