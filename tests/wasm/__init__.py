"""The suite in a page's Python: WebAssembly, 32-bit indices, no threads, no processes. ``python -m tests.wasm`` runs it under Node."""
