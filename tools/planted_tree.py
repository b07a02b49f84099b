"""For the tests of tools: a tree of files that exists while a test looks at it."""
import tempfile
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def planted_tree(files):
    """files: {path: text}. Gives the root."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        yield Path(folder)
