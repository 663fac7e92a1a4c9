"""Fast text lines from RapidOCR's PP-OCRv6 models, on OpenVINO or ONNX Runtime."""
