"""What somebody should be told of before the bill comes: budgets, quotas, odd use, sources that disagree."""
