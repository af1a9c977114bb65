"""LiveKit's agent-worker socket: how explicit, token and automatic dispatch bring the agent into a room."""
