"""What a client's method made from a request function shows to `help()` and to editors."""

import inspect
from collections.abc import Callable
from typing import Any, get_args


def present(method: Callable[..., Any], request: Callable[..., Any]) -> None:
    """Gives `method` the name, the docstring and the signature of `request`, plus `self`."""
    described = inspect.signature(request)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    result = next(iter(get_args(described.return_annotation)), Any)
    method.__name__ = request.__name__
    method.__doc__ = request.__doc__
    method.__signature__ = described.replace(  # type: ignore[attr-defined]  # PEP 362
        parameters=[itself, *described.parameters.values()], return_annotation=result
    )
