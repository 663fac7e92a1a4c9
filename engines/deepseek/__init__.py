"""DeepSeek-OCR, DeepSeek-OCR-2 and Unlimited-OCR: one engine, several runtimes."""
