"""Value types, messages, errors and settings that every process shares. Imports nothing of ours."""
