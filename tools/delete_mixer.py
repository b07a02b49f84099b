#!/usr/bin/env python3
"""Takes a mixer out of a copy of the tree: what is left must build and pass (tools/delete_law.py).

usage: delete_mixer.py NAME --tree DIR      NAME: a type of the registry; DIR: the copy

Deleted are: the mixer's folder with all types in it, its lines in src/mixers/registry.cpp, the operations that nobody else includes, the presets
that name it, the importers of published models that need it, the golden files of all their adapters, and what lists of the tests and tools say about any of these. The programs of the documents are
left out if they name it. Prints what it deleted, writes DIR/deleted-mixers.txt, without which no test may miss a mixer, and fails if it cannot find
what it expects. A folder with the type that configs mean by default ("mlp" without a type) cannot be deleted: every preset needs it.
"""
import argparse
import json
import re
import shutil
import struct
import sys
from pathlib import Path

REGISTRY, CASES, IMPORTERS = "src/mixers/registry.cpp", "src/ops/op_cases.cpp", "src/import/importers.cpp"
ENTRY = re.compile(r'^\s*entry<(\w+), *\w+>\("(\w+)", \d+\),\n', re.M)
DEFAULT = re.compile(r'default_mlp_type\(\) \{ return "(\w+)"; \}')
CODE = (".cpp", ".hpp", ".h")


class DeleteError(Exception):
    pass


def names_type(value, types):
    """Whether a JSON value has an object {"type": one of these} anywhere."""
    if isinstance(value, dict):
        return value.get("type") in types or any(names_type(v, types) for v in value.values())
    return isinstance(value, list) and any(names_type(v, types) for v in value)


def golden_kind(path):
    with open(path, "rb") as file:
        meta = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))["__metadata__"]
    return meta.get("op") or meta.get("module")


class Tree:
    def __init__(self, root):
        self.root, self.log = Path(root), []

    def say(self, what):
        self.log.append(what)

    def read(self, path):
        return (self.root / path).read_text()

    def write(self, path, text):
        (self.root / path).write_text(text)

    def remove(self, path):
        target = self.root / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()
        self.say(f"deleted {path}")

    def drop_lines(self, path, pattern, what):
        """Takes the lines that match out of a file; there must be one."""
        lines = self.read(path).splitlines(keepends=True)
        kept = [line for line in lines if not re.search(pattern, line)]
        if len(kept) == len(lines):
            raise DeleteError(f"{path}: no line for {what} (/{pattern}/)")
        self.write(path, "".join(kept))
        self.say(f"{path}: {len(lines) - len(kept)} line{'s' if len(lines) - len(kept) > 1 else ''} less, of {what}")

    def files(self, *tops):
        return [p for top in tops for p in sorted((self.root / top).rglob("*")) if p.is_file()]

    # The types of the folder in which NAME is, and the folder.
    def find(self, name):
        registry = self.read(REGISTRY)
        classes = {type_name: class_name for class_name, type_name in ENTRY.findall(registry)}
        if not classes:
            raise DeleteError(f"{REGISTRY}: no mixer found; see ENTRY in tools/delete_mixer.py")
        if name not in classes:
            raise DeleteError(f"the registry has no mixer '{name}'; known: {', '.join(sorted(classes))}")
        default = DEFAULT.search(registry)
        if not default:
            raise DeleteError(f"{REGISTRY}: no default_mlp_type() found; see DEFAULT in tools/delete_mixer.py")

        def folder_of(class_name):
            for header in self.files("src/mixers"):
                if header.suffix == ".hpp" and re.search(rf"\b(?:class|struct) {class_name}\b[^;]*\{{", header.read_text()):
                    return header.parent.relative_to(self.root).as_posix()
            raise DeleteError(f"no header in src/mixers has the class {class_name} of '{name}'")

        folder = folder_of(classes[name])
        types = [t for t, class_name in classes.items() if folder_of(class_name) == folder]
        if default[1] in types:
            raise DeleteError(f"'{name}' cannot be deleted: {folder} has '{default[1]}', which an \"mlp\" without a type means")
        return folder, types

    def includes(self, path):
        return set(re.findall(r'#include "([^"]+)"', path.read_text(errors="replace")))

    def users(self, folder):
        """Files outside of a folder of src/ that include something of it; the table of cases is no user."""
        within = folder.removeprefix("src/") + "/"
        return [p for p in self.files("src", "include", "apps", "tests", "bench") if p.suffix in CODE
                and not p.is_relative_to(self.root / folder) and p != self.root / CASES and any(i.startswith(within) for i in self.includes(p))]

    def operations_of(self, folder):
        return {f"src/ops/{i.split('/')[1]}" for p in self.files(folder) if p.suffix in CODE for i in self.includes(p) if i.startswith("ops/") and i.count("/") == 2}

    def delete_folder(self, folder):
        """Returns the operations that its files include, and the kinds of its golden files."""
        operations = self.operations_of(folder) - {folder}
        kinds = {k for p in self.files(folder) if p.name.endswith("_golden.cpp") for k in re.findall(r'add_golden\("(\w+)"', p.read_text())}
        self.remove(folder)
        return operations, kinds

    def delete_operations(self, candidates):
        """Those of `candidates` that nobody uses now, and of these again. Returns their names and the kinds of their golden files."""
        gone, kinds = [], set()
        while unused := [o for o in sorted(candidates) if (self.root / o).exists() and not self.users(o)]:
            for operation in unused:
                more, more_kinds = self.delete_folder(operation)
                name = Path(operation).name
                self.drop_lines(CASES, rf'"ops/{name}/|^\s*{name}_cases,$', name)
                candidates, kinds, gone = candidates | more, kinds | more_kinds, gone + [name]
        return gone, kinds

    def delete_presets(self, types):
        presets = [p for p in self.files("configs", "src/mixers") if p.suffix == ".json" and (p.parent.name in ("configs", "presets"))]
        if not presets:
            raise DeleteError("no preset in configs/")
        gone = [p for p in presets if names_type(json.loads(p.read_text()), types)]
        for preset in gone:
            self.remove(preset.relative_to(self.root).as_posix())
        left = {p.stem.split("-", 1)[1] for p in presets if p not in gone}
        usual = json.loads(self.read("configs/usual/kinds.json"))
        kept = [kind for kind in usual if kind in left]
        if not kept:
            raise DeleteError(f"configs/usual/kinds.json: none of its kinds has a preset without '{types[0]}'; name another one there")
        if kept != usual:
            self.write("configs/usual/kinds.json", json.dumps(kept) + "\n")
            self.say(f"configs/usual/kinds.json: {', '.join(kept)}")
        return [p.stem for p in gone]

    def delete_importers(self, types):
        """Importers of published models that make one of these types. Returns the kinds of their golden files."""
        kinds = set()
        for folder in sorted({p.parent for p in self.files("src/import") if p.parent != self.root / "src/import"}):
            text = "".join(p.read_text() for p in self.files(folder.relative_to(self.root).as_posix()) if p.suffix in CODE)
            if re.search(rf'"type", "(?:{"|".join(types)})"', text):
                kinds |= self.delete_folder(folder.relative_to(self.root).as_posix())[1]
                self.drop_lines(IMPORTERS, rf'"import/{folder.name}/|&{folder.name}_importer,', folder.name)
        return kinds

    def delete_bodies(self, types):
        """Cases of the tests that are of these types."""
        for cases in [p for p in self.files("tests/bodies") if p.name == "cases.json" and names_type(json.loads(p.read_text()), types)]:
            self.remove(cases.parent.relative_to(self.root).as_posix())

    def delete_golden(self, kinds):
        for path in self.files("tests/golden/ops", "tests/golden/layers", "tests/golden/models", "tests/golden/checkpoints"):
            if path.suffix == ".safetensors" and golden_kind(path) in kinds:
                path.unlink()
                self.say(f"deleted {path.relative_to(self.root).as_posix()}")

    def delete_mentions(self, operations):
        """Entries of lists about single operations."""
        accepted = json.loads(self.read("tests/instructions/accepted.json"))
        for case in [c for c in accepted["instructions"] if c.split("/")[0] in operations]:
            del accepted["instructions"][case]
            self.say(f"tests/instructions/accepted.json: without {case}")
        self.write("tests/instructions/accepted.json", json.dumps(accepted, indent=1) + "\n")
        for operation in operations:
            if f'"src/ops/{operation}/' in self.read("tools/mutants.py"):
                self.drop_lines("tools/mutants.py", rf'^    \("src/ops/{operation}/', operation)

    def leave_out_documents(self, words):
        """The programs of the documents, if one of their blocks names what is gone: they use one model."""
        list_of = "tests/readme/CMakeLists.txt"
        documents = re.search(r"^set\(documents ([^)]+)\)", self.read(list_of), re.M)
        if not documents:
            raise DeleteError(f"{list_of}: no set(documents ...)")
        for document in documents[1].split():
            for block in re.findall(r"^```(?:cpp|json)\n(.*?)^```$", self.read(document), re.S | re.M):
                named = [w for w in words if f'"{w}"' in block]
                if named:
                    self.drop_lines("tests/CMakeLists.txt", r"^add_subdirectory\(readme\)", "the programs of the documents")
                    self.say(f"left out: the programs of the documents, as {document} names '{named[0]}'")
                    return

    def delete(self, name):
        folder, types = self.find(name)
        operations, kinds = self.delete_folder(folder)
        self.drop_lines(REGISTRY, rf'"{folder.removeprefix("src/")}/|^\s*entry<\w+, *\w+>\("(?:{"|".join(types)})", \d+\)', " and ".join(types))
        gone, more_kinds = self.delete_operations(operations)
        presets = self.delete_presets(types)
        self.delete_bodies(types)
        self.delete_golden(kinds | more_kinds | self.delete_importers(types))
        self.delete_mentions(gone)
        self.leave_out_documents(types + presets)
        for user in self.users(folder):
            raise DeleteError(f"{user.relative_to(self.root)} includes {folder}")
        earlier = self.root / "deleted-mixers.txt"
        earlier.write_text(" ".join(([earlier.read_text().strip()] if earlier.exists() else []) + types) + "\n")
        return self.log


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--tree", type=Path, required=True, metavar="DIR")
    options = parser.parse_args()
    if (options.tree / ".git").exists():
        sys.exit(f"error: {options.tree} is a repository; give a copy without .git, as tools/delete_law.py makes one")
    try:
        print("\n".join(Tree(options.tree).delete(options.name)))
    except DeleteError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
