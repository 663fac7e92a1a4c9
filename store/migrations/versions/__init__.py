"""One file per revision, named r<number>_<what>.py. A released file is never edited."""
