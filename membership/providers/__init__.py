"""What each remote understands. No Django, no settings, no database, no clock of their own here."""
