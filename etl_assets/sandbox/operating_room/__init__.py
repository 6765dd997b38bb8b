"""The operating room, as files: `write` makes them for any days and rooms, `correction` mends one day."""
