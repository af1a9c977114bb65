"""The room process: one meeting, from joining the room to leaving it."""
