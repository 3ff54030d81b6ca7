"""When an answer counts as right: the rules of the execution-apis suite (rpc-compat), on parsed JSON alone.

* JSON deep equality: members in any order, none missing, none more; arrays in order; numbers as 64-bit floats.
* `error.message` does not count where both sides have an error with a message at the same place.
* A case marked `speconly` is held against the method's result schema instead, unless the answer is an error.
"""


def same(got, wanted):
    """Deep equality of JSON values whose numbers were all read as floats."""
    if type(got) is not type(wanted):
        return False
    if isinstance(got, dict):
        return got.keys() == wanted.keys() and all(same(got[key], wanted[key]) for key in got)
    if isinstance(got, list):
        return len(got) == len(wanted) and all(map(same, got, wanted))
    return got == wanted


def without_messages(got, wanted):
    """Both values, less each error message that has a counterpart. What is inside an error is not searched further."""
    if isinstance(got, dict) and isinstance(wanted, dict):
        got, wanted = dict(got), dict(wanted)
        for key in got.keys() & wanted.keys():
            if key == "error" and has_message(got[key]) and has_message(wanted[key]):
                got[key] = {name: value for name, value in got[key].items() if name != "message"}
                wanted[key] = {name: value for name, value in wanted[key].items() if name != "message"}
            elif key != "error":
                got[key], wanted[key] = without_messages(got[key], wanted[key])
    elif isinstance(got, list) and isinstance(wanted, list) and len(got) == len(wanted):
        pairs = [without_messages(*pair) for pair in zip(got, wanted)]
        got, wanted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return got, wanted


def has_message(error):
    return isinstance(error, dict) and "message" in error


def difference(got, wanted, path=""):
    """Where two different values first differ, in words."""
    if isinstance(got, dict) and isinstance(wanted, dict):
        if missing := sorted(wanted.keys() - got.keys()):
            return f"{path or '.'}: missing {', '.join(missing)}"
        if extra := sorted(got.keys() - wanted.keys()):
            return f"{path or '.'}: not expected: {', '.join(extra)}"
        for key in wanted:
            if not same(got[key], wanted[key]):
                return difference(got[key], wanted[key], f"{path}.{key}")
    if isinstance(got, list) and isinstance(wanted, list) and len(got) == len(wanted):
        for index, pair in enumerate(zip(got, wanted)):
            if not same(*pair):
                return difference(*pair, f"{path}[{index}]")
    return f"{path or '.'}: got {shortened(got)}, expected {shortened(wanted)}"


def shortened(value):
    text = repr(value)
    return text if len(text) <= 90 else f"{text[:60]}…{text[-20:]} ({len(text)} characters)"


def judge(answer, expected, schema=None):
    """None if the answer is right, else what is wrong. `schema` validates a result; it is given for speconly cases."""
    if schema is not None and isinstance(answer, dict) and "error" not in answer:
        if "result" not in answer:
            return "neither a result nor an error"
        problem = next(schema.iter_errors(answer["result"]), None)
        return None if problem is None else f"not as the schema says: {problem.json_path}: {problem.message[:120]}"
    answer, expected = without_messages(answer, expected)
    return None if same(answer, expected) else difference(answer, expected)
