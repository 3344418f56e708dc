"""The engine: tasks, resume, reports; it knows nothing of what stages do."""
