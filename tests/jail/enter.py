"""Enters a world that `inhabit.py` keeps, and becomes a command there: `enter.py PID UID GID COMMAND...`."""

from __future__ import annotations

import os
import shutil
import sys

pid, uid, gid = (int(word) for word in sys.argv[1:4])
# Looked for now: as another user this interpreter may have no access to its library any more.
program = shutil.which(sys.argv[4]) or sys.argv[4]
descriptor = os.pidfd_open(pid)
os.setns(descriptor, os.CLONE_NEWNET | os.CLONE_NEWNS | (0 if os.geteuid() == 0 else os.CLONE_NEWUSER))
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
os.chdir(os.environ["HOME"])
os.execv(program, sys.argv[4:])
