"""What is asked of the pricing engine, what it answers, and the format of price books."""
