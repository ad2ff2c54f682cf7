"""One GPU: from what any device does that computes by itself (`accelerator`) to CuPy's (`cupy_device`).

``kernels.cu`` is what the GPU runs for the hot functions, `row_kernels` hands it arrays, `cublas` multiplies. Nothing here but
`cupy_device` imports CuPy.
"""
