import inspect
import re

from serve import errors


def test_the_tree_names_each_error_below_its_base():
    bases: dict[str, str] = {}
    path: list[str] = []
    for indent, name in re.findall(r"^([│├└─ ]*)(\w+Error)\b", errors.__doc__, re.MULTILINE):
        path[len(indent) // 4 :] = [name]
        bases[name] = path[-2] if len(path) > 1 else "Exception"
    classes = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, Exception)]
    assert bases == {each.__name__: each.__base__.__name__ for each in classes}


def test_a_fault_without_a_feature_is_counted_as_one_of_shape():
    assert errors.ApplicationError({"": "not an object"}).faults == {("", "shape"): 1}
    assert errors.ApplicationError({"Age": "not a number"}, {("Age", "type"): 3}).faults == {("Age", "type"): 3}
