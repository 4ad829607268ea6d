"""The pages of the panel: thin; what they say and do comes from `services/`."""
