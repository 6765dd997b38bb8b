"""How the operating room is read: files that hospitals drop, each written as its feed says."""

from pathlib import Path

from etl_assets.declare.source import FileDrop

READER = FileDrop(feeds=Path(__file__).with_name("feeds.yaml"))
