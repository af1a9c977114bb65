"""The roomscribe command: runs the whole stack on one machine, and speaks to a running one."""
