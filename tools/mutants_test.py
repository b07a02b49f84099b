"""The exceptions of tools/mutants.py: each still excuses a mutant."""
import unittest
from pathlib import Path
from unittest import mock

import mutants

ROOT = Path(__file__).resolve().parent.parent


class Exceptions(unittest.TestCase):
    def test_each_excuses_a_mutant_of_the_code_as_it_is(self):
        self.assertEqual(mutants.idle_exceptions(ROOT), [])

    def test_one_that_excuses_nothing_is_found(self):
        path = mutants.EQUIVALENT[0][0]
        with mock.patch.object(mutants, "EQUIVALENT", [(path, "", "no line of this file", "nothing")]):
            self.assertEqual(mutants.idle_exceptions(ROOT), [(path, "no line of this file")])


if __name__ == "__main__":
    unittest.main()
