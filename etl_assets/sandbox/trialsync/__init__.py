"""Clinical Conductor, as a service: invented trials, and the HTTP API that tells of them.

`books.Books` is what must agree: subjects, their statuses over time, visits and appointments, computed by number when
they are asked for. What is left of a record is drawn from the vendor's shape of it (`sources/trialsync/shapes.yaml`).
`service.serve` answers for one instance as the real API does, bad manners included.
"""
