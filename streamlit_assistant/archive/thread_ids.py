"""The ids of threads, as they stand in the names of objects and on the command line."""

import re

THREAD_ID = re.compile(r"thread_[A-Za-z0-9]{1,57}", re.ASCII)
