"""Native answers of the four dialects, written independently of `ccproxy.lightllm`: what the demo provider and the test
kit say. `script` is the value they render, one module per dialect renders it, `respond` is a whole provider."""
