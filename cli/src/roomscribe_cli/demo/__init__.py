"""The demonstration: a scripted meeting of four synthetic people, and its scorecard."""
