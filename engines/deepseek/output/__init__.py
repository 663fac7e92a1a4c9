"""What the models write, as blocks. All of it is hostile: numbers and tags are only looked at."""
