"""The runner's own rules, on made-up answers."""

import json
import tempfile
import unittest
from pathlib import Path

from cases import parse, read_case
from jsonschema import Draft7Validator
from rules import judge


def verdict(answer, expected, schema=None):
    return judge(parse(json.dumps(answer)), parse(json.dumps(expected)), schema)


class Equality(unittest.TestCase):
    def test_members_in_any_order(self):
        self.assertIsNone(verdict({"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1}))

    def test_no_member_missing_or_more(self):
        self.assertIn("missing b", verdict({"a": 1}, {"a": 1, "b": None}))
        self.assertIn("not expected: b", verdict({"a": 1, "b": None}, {"a": 1}))

    def test_order_of_an_array(self):
        self.assertIn("[0]", verdict([1, 2], [2, 1]))
        self.assertIsNotNone(verdict([1], [1, 1]))

    def test_numbers_are_floats_and_nothing_else_is(self):
        self.assertIsNone(judge(parse("1.0"), parse("1")))
        self.assertIsNotNone(verdict(True, 1))
        self.assertIsNotNone(verdict("1", 1))
        self.assertIsNotNone(verdict(None, 0))

    def test_strings_exactly(self):
        self.assertIsNotNone(verdict("0x0A", "0x0a"))
        self.assertIsNotNone(verdict("0x00", "0x0"))

    def test_the_place_of_a_difference(self):
        self.assertIn(".result.logs[1].data", verdict({"result": {"logs": [{}, {"data": 1}]}}, {"result": {"logs": [{}, {"data": 2}]}}))


class Errors(unittest.TestCase):
    def test_messages_do_not_count(self):
        self.assertIsNone(verdict({"error": {"code": 1, "message": "a"}}, {"error": {"code": 1, "message": "b"}}))

    def test_code_and_data_count(self):
        self.assertIsNotNone(verdict({"error": {"code": 1, "message": "a"}}, {"error": {"code": 2, "message": "a"}}))
        self.assertIsNotNone(verdict({"error": {"code": 1, "message": "", "data": "0x"}}, {"error": {"code": 1, "message": ""}}))

    def test_a_message_on_one_side_counts(self):
        self.assertIsNotNone(verdict({"error": {"code": 1}}, {"error": {"code": 1, "message": "a"}}))

    def test_nested_errors_too_but_not_inside_an_error(self):
        nested = lambda message: {"result": [{"calls": [{"error": {"code": 3, "message": message}}]}]}
        self.assertIsNone(verdict(nested("a"), nested("b")))
        inside = lambda message: {"error": {"code": 3, "message": "", "data": {"error": {"message": message}}}}
        self.assertIsNotNone(verdict(inside("a"), inside("b")))


class SpecOnly(unittest.TestCase):
    schema = Draft7Validator({"type": "string", "pattern": "^0x"})

    def test_a_result_is_held_against_the_schema_alone(self):
        self.assertIsNone(verdict({"id": 7, "result": "0x9"}, {"id": 1, "result": "0x1"}, self.schema))
        self.assertIn("schema", verdict({"result": "9"}, {"result": "0x1"}, self.schema))
        self.assertIsNotNone(verdict({"id": 1}, {"result": "0x1"}, self.schema))

    def test_an_error_is_compared(self):
        error = {"error": {"code": 3, "message": ""}}
        self.assertIsNone(verdict(error, error, self.schema))
        self.assertIsNotNone(verdict(error, {"result": "0x1"}, self.schema))


class Files(unittest.TestCase):
    def read(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "eth_method", "a-case.io")
            path.parent.mkdir()
            path.write_text(text)
            return read_case(path)

    def test_several_exchanges(self):
        case = self.read('// about\n>> {"id":1}\n<< {"result":1}\n>> {"id":2}\n<< {"result":2}\n')
        self.assertEqual(case.name, "eth_method/a-case")
        self.assertEqual(case.exchanges, (('{"id":1}', {"result": 1.0}), ('{"id":2}', {"result": 2.0})))
        self.assertFalse(case.spec_only)

    def test_speconly_counts_before_the_first_request(self):
        self.assertTrue(self.read("// speconly: why\n>> 1\n<< 2\n").spec_only)
        self.assertFalse(self.read(">> 1\n<< 2\n// speconly: why\n").spec_only)

    def test_a_request_without_an_answer_is_no_case(self):
        with self.assertRaises(ValueError):
            self.read(">> 1\n")


if __name__ == "__main__":
    unittest.main()
