"""The rehearsal: a night of faults on stand-ins of the sources, after each of which staging is compared with them."""
