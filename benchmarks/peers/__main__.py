"""`python -m benchmarks.peers`: brings what is measured beside us into the cache, and says where it is."""

from benchmarks.peers.environment import obtain

if __name__ == "__main__":
    print(obtain())
