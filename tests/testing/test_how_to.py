"""The how-to's example runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import ccproxy.testing

DOCUMENT = Path(__file__).parents[2] / "docs" / "how-to" / "test-with-fakeprovider.md"


def test_the_example_passes(tmp_path: Path) -> None:
    [example] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (tmp_path / "test_example.py").write_text(example)

    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "test_example.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(re.findall('def test_', example))} passed" in done.stdout


def test_every_public_name_is_mentioned_or_a_type() -> None:
    text = DOCUMENT.read_text()
    types = {"Certificates", "Disconnect", "Received", "SocketSession", "ThreadedProvider", "error_in_stream"}

    assert [name for name in ccproxy.testing.__all__ if name not in text and name not in types] == []
