from __future__ import annotations

from pathlib import Path

import pytest

from ccproxy.auth.discover import OAuthClient, find_client, installed_packages

BUNDLE = """
// packages/other/auth.ts
var OAUTH_CLIENT_ID = "other-client.example";
var OAUTH_CLIENT_SECRET = "other-secret";
// packages/core/src/code_assist/oauth2.ts
var OAUTH_CLIENT_ID = "dummy-id.apps.example";
var OAUTH_CLIENT_SECRET = "dummy-secret-1";
"""
CLIENT = OAuthClient("dummy-id.apps.example", "dummy-secret-1")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """An installed gemini-cli, with a command that links into it."""
    folder = tmp_path / "lib" / "node_modules" / "@google" / "gemini-cli"
    (folder / "bundle").mkdir(parents=True)
    (folder / "bundle" / "gemini.js").write_text("#!/usr/bin/env node\n")
    (folder / "bundle" / "gemini.js").chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gemini").symlink_to(folder / "bundle" / "gemini.js")
    return folder


def found(tmp_path: Path) -> OAuthClient | None:
    return find_client(installed_packages(str(tmp_path / "bin")))


def test_in_a_bundle_the_client_of_the_login_module_counts(package: Path, tmp_path: Path) -> None:
    (package / "bundle" / "chunk-ABC.js").write_text(BUNDLE)

    assert found(tmp_path) == CLIENT
    assert "dummy-secret-1" not in repr(found(tmp_path))


def test_in_the_core_package_beside_it_or_within(package: Path, tmp_path: Path) -> None:
    core = package / "node_modules" / "@google" / "gemini-cli-core" / "dist" / "src" / "code_assist"
    core.mkdir(parents=True)
    (core / "oauth2.js").write_text(
        "const OAUTH_CLIENT_ID = 'dummy-id.apps.example';\nconst OAUTH_CLIENT_SECRET = 'dummy-secret-1';\n"
    )

    assert found(tmp_path) == CLIENT


def test_a_wrapper_script_beside_the_packages(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gemini").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "gemini").chmod(0o755)
    dist = tmp_path / "lib" / "node_modules" / "@google" / "gemini-cli-core" / "dist"
    dist.mkdir(parents=True)
    (dist / "oauth2.js").write_text(BUNDLE)

    assert found(tmp_path) == CLIENT


def test_nothing_installed_or_nothing_in_it_is_none(package: Path, tmp_path: Path) -> None:
    assert found(tmp_path) is None
    assert find_client(installed_packages(str(tmp_path))) is None
