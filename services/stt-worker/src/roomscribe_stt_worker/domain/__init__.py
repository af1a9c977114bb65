"""What the worker decides, without a wire or a clock of its own."""
