"""What clients report at the end of a run: from the upload to the database, and nothing lost on the way."""
