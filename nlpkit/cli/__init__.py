"""The `nlpkit` command, a module a group of commands: parse, call, print and exit."""
