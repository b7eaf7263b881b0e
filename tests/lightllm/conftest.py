"""Properties here are about results, not about time: a busy machine must not fail them."""

from hypothesis import settings

settings.register_profile("lightllm", deadline=None)
settings.load_profile("lightllm")
