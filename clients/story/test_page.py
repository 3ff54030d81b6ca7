"""A page that is not true is found out."""

import unittest

from page import Names, blocks, difference

PAGE = """
Text.

```sh
one --id 3f2a1c04
two
```

and

```text
a …
error: b
```

```js
not ours
```

```sh
three
```
"""


class Pages(unittest.TestCase):
    def test_blocks_are_what_is_typed_and_what_is_shown(self):
        first, last = blocks(PAGE)
        self.assertEqual((first.line, first.typed, first.shown, first.failures), (4, ["one --id 3f2a1c04", "two"], ["a …", "error: b"], 1))
        self.assertEqual((last.typed, last.shown, last.failures), (["three"], None, 0))
        with self.assertRaises(ValueError):
            blocks("```sh\nnever closed\n")

    def test_what_may_differ_is_marked(self):
        for shown, told in [
            (["bank voted yes"], ["bank voted yes"]),
            (["NAME  ID"], ["NAME       ID"]),
            (["at … in …/x"], ["at 2.15 in /tmp/x"]),
            (["a", "…", "d"], ["a", "b", "c", "d"]),
            (["a", "…"], ["a"]),
            (["…", "d"], ["a", "d"]),
            (["a", "b"], ["a", "the service takes its time …", "b"]),
            ([], []),
        ]:
            self.assertEqual(difference(shown, told, Names()), [], (shown, told))

    def test_everything_else_must_be_as_it_is_shown(self):
        for shown, told in [
            (["bank voted yes"], ["bank voted no"]),
            (["2 of 3"], ["2 of 30"]),
            (["a", "c"], ["a", "b", "c"]),
            (["a", "…", "d"], ["a", "b"]),
            (["a"], ["a", "b"]),
            (["a"], []),
            ([], ["a"]),
            (["a.c"], ["abc"]),
        ]:
            self.assertNotEqual(difference(shown, told, Names()), [], (shown, told))

    def test_an_id_is_the_same_one_wherever_it_stands(self):
        names, real, other = Names(), "12" * 32, "34" * 32
        self.assertEqual(difference(["new 3f2a1c04…", "of 3f2a1c04d5e6 x"], [f"new {real}", f"of {real[:12]} x"], names), [])
        self.assertEqual(names.typed("vote 3f2a1c04d5e6 --yes"), f"vote {real[:12]} --yes")
        self.assertFalse(names.match("3f2a1c04", other[:8]), "another id")
        self.assertFalse(names.match("99999999", real[:8]), "one id under two names")
        self.assertFalse(names.match("3f2a1c04", real[:12]), "more of it than is shown")
        self.assertTrue(names.match("99999999 and 3f2a1c04", f"{other[:8]} and {real[:8]}"))
        with self.assertRaises(ValueError):
            names.typed("vote aaaaaaaa")

    def test_so_is_a_port(self):
        names = Names()
        self.assertTrue(names.match("http://127.0.0.1:8001 …", "http://127.0.0.1:41200 x"))
        self.assertFalse(names.match("http://127.0.0.1:8001", "http://127.0.0.1:41201"))
        self.assertFalse(names.match("http://127.0.0.1:8002", "http://127.0.0.1:41200"))
        self.assertEqual(names.typed("curl http://127.0.0.1:8001/kv/a"), "curl http://127.0.0.1:41200/kv/a")
        with self.assertRaises(ValueError):
            names.typed("curl http://127.0.0.1:8003")

    def test_what_does_not_match_teaches_nothing(self):
        names = Names()
        self.assertFalse(names.match("11111111 and 11111111", "aaaaaaaa and bbbbbbbb"))
        self.assertTrue(names.match("22222222", "aaaaaaaa"))


if __name__ == "__main__":
    unittest.main()
