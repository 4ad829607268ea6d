"""Tags and filters of the panel's templates."""
