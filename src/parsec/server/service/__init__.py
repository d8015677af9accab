"""One function per command: load facts, ask the rule, write, publish, reply."""
