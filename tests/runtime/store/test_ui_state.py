"""Named bytes."""

from __future__ import annotations

from runtime.store.opening import Store, open_store


def test_bytes_outlive_the_session(store: Store) -> None:
    assert store.ui_state.get("window/geometry") is None
    store.ui_state.set({"window/geometry": b"\x00\xff", "last_chat": b"1"})
    store.ui_state.set({"last_chat": b"2"})
    store.ui_state.remove("nothing")
    again = open_store(store.file).store
    assert again.ui_state.get("window/geometry") == b"\x00\xff"
    again.ui_state.remove("window/geometry")
    again.close()
    assert store.ui_state.get("window/geometry") is None
    assert store.ui_state.get("last_chat") == b"2"
