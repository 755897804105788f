"""Runs a notebook with nbclient, the reference runner: execute.py KERNEL INPUT OUTPUT [PARAMETERS as TypeScript]."""

import os
import sys

import nbformat
from nbclient import NotebookClient

kernel, source, target, *parameters = sys.argv[1:]
notebook = nbformat.read(source, as_version=4)
if parameters:
    place = next(
        (i + 1 for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])), None
    )
    if place is not None:
        notebook.cells.insert(place, nbformat.v4.new_code_cell(parameters[0]))
folder = os.path.dirname(os.path.abspath(source))
NotebookClient(notebook, kernel_name=kernel, timeout=1200, resources={"metadata": {"path": folder}}).execute()
for number, cell in enumerate(notebook.cells, 1):
    for output in cell.get("outputs", []):
        # stock tslab has no error messages: it writes to the standard error and goes on
        if output.output_type == "error" or (output.output_type == "stream" and output.name == "stderr"):
            sys.exit(f"{source}, cell {number}: {output.get('text') or output.get('evalue')}")
nbformat.write(notebook, target)
