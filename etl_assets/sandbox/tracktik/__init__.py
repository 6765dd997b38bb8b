"""TrackTik, as a service: an invented guard company, and the HTTP API that tells of it.

`company.Company` is the company: who stands where on each day, and what was billed for it; it can be changed as people
change things. `service.serve` answers for it as the real API does, bad manners included.
"""
