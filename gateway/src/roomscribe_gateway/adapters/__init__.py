"""LiveKit, JetStream reading, Word files."""
