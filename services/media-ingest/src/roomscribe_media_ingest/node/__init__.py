"""The node supervisor: claims jobs and hands each to an operating-system process of its own."""
