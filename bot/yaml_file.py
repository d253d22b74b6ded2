"""A file of YAML that people write, read strictly: of two equal keys in one mapping the first would be lost unseen."""

from __future__ import annotations

from typing import Any

import yaml

TWICE = "a key stands twice"  # the problem of the YAMLError for it


def read(text: str) -> Any:
    """The document in a text, None if it is empty. YAMLError, with the line as its mark, when it is not sound."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check(node)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _check(root: yaml.Node) -> None:
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
            waiting += [value for _, value in node.value]
        else:
            waiting += node.value


def _check_keys(node: yaml.MappingNode) -> None:
    seen = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=TWICE, problem_mark=key.start_mark)
            seen.add(key.value)
