"""What the user sees: progress, results, errors, wherever they are shown."""
