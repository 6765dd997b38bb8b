"""A stand-in for GoHighLevel's API v2: the contacts of a location and its custom fields, invented.

`contacts.py` has what a location holds, `service.py` what it answers. No contact is stored: each is made of its number
when it is asked for, so that a location may have any number of them.
"""
