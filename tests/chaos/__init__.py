"""Kill anything: real meetings on a real stack, faults, and a judge that looks from outside."""
