#!/usr/bin/env python3
"""usage: reuse_object.py TABLE COMPILE COMMAND...      a compiler launcher for tools/delete_law.py

TABLE: {object: [object to take, command that made it]}. Copies the object if it is in the table and the command is that one, word by word; else
runs the command.
"""
import json
import os
import shutil
import sys


def main():
    table, *command = sys.argv[1:]
    made = command[command.index("-o") + 1] if "-o" in command else None
    with open(table) as file:
        known = json.load(file).get(made)
    compiler = command[1:] if command[0].endswith("ccache") else command
    kept, skip = [], False
    depfile = None
    for i, word in enumerate(compiler):
        if skip:
            skip = False
            continue
        if word in ("-MT", "-MF"):
            skip = True
            depfile = compiler[i + 1] if word == "-MF" else depfile
        elif word != "-MD":
            kept.append(word)
    if known and known[1] == kept:
        shutil.copyfile(known[0], made)
        if depfile:
            with open(depfile, "w") as file:
                file.write(f"{made}: {compiler[compiler.index('-c') + 1]}\n")
        return
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
