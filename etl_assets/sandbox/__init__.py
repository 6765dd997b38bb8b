"""Stand-in source systems, for trying and testing: deterministic, of any size, and nobody's real data.

A stand-in writes what its system would send. It never reads the warehouse and does not know how it is loaded.
"""
