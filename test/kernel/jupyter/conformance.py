"""The official conformance suite, jupyter_kernel_test, on the kernelspec `arclab` of JUPYTER_PATH.

Every sample that the suite offers is filled in, so that it has nothing to skip.
"""

import inspect
import unittest

import jupyter_kernel_test
from jupyter_core.utils import run_sync


def blocking(f):
    """The suite of Debian wraps coroutines that newer releases of jupyter_client have wrapped already."""
    return run_sync(f) if inspect.iscoroutinefunction(f) else f


jupyter_kernel_test.run_sync = blocking


class ArclabKernelTests(jupyter_kernel_test.KernelTests):
    kernel_name = "arclab"
    language_name = "typescript"
    file_extension = ".ts"

    code_hello_world = 'console.log("hello, world")'
    code_stderr = 'console.error("something to worry about")'

    completion_samples = [
        {"text": "JSON.pars", "matches": {"parse"}},
        {"text": "const list = [1]; list.toRev", "matches": {"toReversed"}},
        {"text": "processX = encodeURIC", "matches": {"encodeURIComponent"}},
    ]

    complete_code_samples = ["1", "const x: number = 1", "function f() {\n  return 1;\n}", "await Promise.resolve()"]
    incomplete_code_samples = ["function f() {", "[1, 2", "const text = `one", "/* a comment", "1 +"]
    invalid_code_samples = ["const = 3", "one two", "f(1))", "'not closed"]

    code_page_something = "console.log?"

    code_generate_error = "throw new Error('as wanted')"

    code_execute_result = [
        {"code": "1 + 2 + 3", "result": "6"},
        {"code": "[1, 2].map((n: number) => n * 2).join()", "result": "'2,4'"},
        {"code": "'x'.repeat(3)", "result": "'xxx'"},
        {"code": "await Promise.resolve(true)", "result": "true"},
    ]

    code_display_data = [
        {"code": "import * as tslab from 'tslab'; tslab.display.html('<b>bold</b>')", "mime": "text/html"},
        {"code": "tslab.display.svg('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')", "mime": "image/svg+xml"},
        {"code": "display({ [Symbol.for('Jupyter.display')]: () => ({ 'text/markdown': '# title' }) })", "mime": "text/markdown"},
    ]

    code_history_pattern = "1 ? 2*"
    supported_history_operations = ("tail", "range", "search")

    code_inspect_sample = "console.log"

    code_clear_output = "clearOutput()"


if __name__ == "__main__":
    unittest.main(verbosity=2)
